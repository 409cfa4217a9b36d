"""The training loop: one process or several, on CPU or GPU, interruptible at any step.

Several processes (`torchrun`, `accelerate launch`) each take a share of the batches; their gradients
are averaged before every step, so that all hold the same weights. A run that was killed goes on from
`state.pt` to the very weights it would have reached.
"""

from __future__ import annotations

import dataclasses
import math
import random
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from accelerate.utils import broadcast_object_list, gather_object
from torch import Tensor, nn
from tqdm import tqdm

from nlu_models.emotion.adversarial import Perturbation, fgm, freelb
from nlu_models.emotion.arguments import TrainingArguments
from nlu_models.emotion.corpus import Batch, Corpus, shuffled_batches
from nlu_models.emotion.curves import Curves
from nlu_models.emotion.interrupt import Interrupt
from nlu_models.emotion.losses import divergence, make_objective
from nlu_models.emotion.moving_average import WeightAverage
from nlu_models.emotion.noise import TypingNoise
from nlu_models.emotion.optimizer import make_optimizer, merged_state
from nlu_models.emotion.progress import progress_bar
from nlu_models.emotion.run_folder import STATE_FILE, RunFolder
from nlu_models.emotion.schedules import rate_factor
from nlu_models.encoder import MultiTaskEncoder, mean_pool
from nlu_models.errors import NluModelError, WeightError

STATE_STEPS = 500  # a state is saved this often, and after each epoch
CURVE_STEPS = 20
CHOSEN_BY = "macro_f1_crossfit"

Judge = Callable[[MultiTaskEncoder], dict[str, float]]


class InterruptedRun(NluModelError):
    """The run was asked to stop, has saved its state, and can be resumed."""

    def __init__(self, path: Path, signal_number: int) -> None:
        super().__init__(f"interrupted; go on with: attune emotion train --resume {path}")
        self.signal_number = signal_number


@dataclass
class Position:
    """Where a run stands; travels in the state."""

    epoch: int = 1
    step_of_epoch: int = 0  # steps done in this epoch
    step: int = 0  # steps done in all
    best: float = -1.0
    stale_epochs: int = 0
    seconds: float = 0.0
    history: list[dict[str, float]] = field(default_factory=list)


class Trainer:
    """Trains a model on a corpus, keeping its best epoch in the run folder.

    Args:
        arguments: the recipe.
        model: on the accelerator's device; its frozen weights have `requires_grad` off.
        corpus: what it is trained on.
        pad_id: the tokenizer's padding token.
        judge: measures the model on dev; called in the main process.
        run: where checkpoint, state and curves go.
        accelerator: knows the device and the other processes.
        fingerprint: tells this run's settings and data from another's; a state of another is refused.
        noise: typing noise, or None.
        state_steps: a state is saved every so many steps.
    """

    def __init__(
        self,
        arguments: TrainingArguments,
        model: MultiTaskEncoder,
        corpus: Corpus,
        pad_id: int,
        judge: Judge,
        run: RunFolder,
        accelerator: Accelerator,
        fingerprint: str,
        noise: TypingNoise | None = None,
        state_steps: int = STATE_STEPS,
    ) -> None:
        self._arguments = arguments
        self._model = model
        self._corpus = corpus
        self._pad_id = pad_id
        self._judge = judge
        self._run = run
        self._accelerator = accelerator
        self._fingerprint = fingerprint
        self._noise = noise
        self._state_steps = state_steps
        self._device = accelerator.device
        self._lengths = [len(tokens) for tokens in corpus.token_ids]
        self._objective = make_objective(arguments, corpus, self._device)
        self._perturbation = Perturbation(model.encoder)
        self._trained = [weight for weight in model.parameters() if weight.requires_grad]
        self._optimizer = make_optimizer(model, arguments)
        batches = math.ceil(math.ceil(len(corpus) / arguments.batch_size) / accelerator.num_processes)
        self._epoch_steps = math.ceil(batches / arguments.accumulation)
        steps = self._epoch_steps * arguments.epochs
        factor = rate_factor(arguments.schedule, steps, arguments.warmup_share)
        self._schedule = torch.optim.lr_scheduler.LambdaLR(self._optimizer, factor)
        self._average: WeightAverage | None = None
        if arguments.ema_decay or arguments.averaged_share:
            share = arguments.averaged_share or 1.0
            self._average = WeightAverage(model, arguments.ema_decay, math.floor(steps * (1.0 - share)))
        self.position = Position()

    def fit(self) -> list[dict[str, float]]:
        """Trains to the end, or until dev gets no better, from wherever the state left off.

        Returns:
            The measures of each epoch.

        Raises:
            InterruptedRun: the process got SIGINT or SIGTERM; the state is saved.
            NluModelError: the loss is no longer finite, or a file can't be written.
        """
        self._restore()
        position = self.position
        total = self._epoch_steps * self._arguments.epochs
        started = time.monotonic() - position.seconds
        is_main = self._accelerator.is_main_process
        with (
            Curves(self._run.path if is_main else None, position.step) as curves,
            Interrupt() as interrupt,
            progress_bar(
                title="training" if is_main else None, unit="step", total=total, done=position.step
            ) as progress,
        ):
            while position.epoch <= self._arguments.epochs and not self._has_stalled():
                self._model.train()
                for batches in self._rest_of_epoch():
                    measures, stop = self._step(batches, interrupt)
                    position.step += 1
                    position.step_of_epoch += 1
                    position.seconds = time.monotonic() - started
                    progress.update()
                    progress.set_postfix(loss=f"{measures['loss']:.3f}", refresh=False)
                    if position.step % CURVE_STEPS == 0:
                        curves.add("train", measures, position.step)
                    if stop or position.step % self._state_steps == 0:
                        self._save_state()
                    if stop:
                        raise InterruptedRun(self._run.path, interrupt.signal_number)
                self._end_epoch(started, curves)
        return position.history

    def _rest_of_epoch(self) -> list[list[list[int]]]:
        """What this process has yet to read in this epoch: the batches of each step."""
        arguments, position = self._arguments, self.position
        order = random.Random(arguments.seed + position.epoch)
        batches = shuffled_batches(self._lengths, arguments.batch_size, order)
        processes, own = self._accelerator.num_processes, self._accelerator.process_index
        each = math.ceil(len(batches) / processes)
        batches = [batches[(own + at * processes) % len(batches)] for at in range(each)]
        size = arguments.accumulation
        steps = [batches[at : at + size] for at in range(0, len(batches), size)]
        return steps[position.step_of_epoch :]

    def _step(self, batches: list[list[int]], interrupt: Interrupt) -> tuple[dict[str, float], bool]:
        """One step of the optimizer; says whether any process was asked to stop."""
        self._optimizer.zero_grad(set_to_none=True)
        sums: dict[str, Tensor] = {}
        for rows in batches:
            for name, value in self._backward(rows, 1.0 / len(batches)).items():
                sums[name] = sums.get(name, 0.0) + value / len(batches)
        stop = self._average_gradients(sums, interrupt)
        norm = nn.utils.clip_grad_norm_(self._trained, self._arguments.max_gradient_norm)
        measures = {name: float(value) for name, value in sums.items()}
        measures["gradient_norm"] = float(norm)
        if not (math.isfinite(measures["loss"]) and math.isfinite(measures["gradient_norm"])):
            raise NluModelError(self._broken(measures))
        self._optimizer.step()
        measures["learning_rate"] = self._schedule.get_last_lr()[0]
        self._schedule.step()
        if self._average is not None:
            self._average.update(self._model, self.position.step + 1)
        return measures, stop

    def _backward(self, rows: list[int], share: float) -> dict[str, Tensor]:
        """Leaves the gradients of a batch, times `share`; returns the loss and its parts, unperturbed."""
        variant = None
        if self._noise is not None:
            noise, epoch = self._noise, self.position.epoch

            def variant(row: int) -> list[int] | None:
                return noise.token_ids(self._corpus.texts[row], row, epoch)

        batch = self._corpus.batch(rows, self._pad_id, self._device, variant)
        seen: list[dict[str, Tensor]] = []

        def backward(weight: float) -> None:
            loss, parts = self._loss(batch)
            (loss * (weight * share)).backward()
            seen.append({"loss": loss.detach(), **{name: part.detach() for name, part in parts.items()}})

        arguments = self._arguments
        mask, radius = batch.attention_mask, arguments.adversary_radius
        if arguments.adversary == "fgm":
            fgm(self._perturbation, backward, mask, radius, arguments.adversary_weight)
        elif arguments.adversary == "freelb":
            freelb(self._perturbation, backward, mask, radius, arguments.adversary_steps)
        else:
            backward(1.0)
        return seen[0]

    def _loss(self, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        """The loss over all dropout masks and passes.

        Several masks before the heads cost little and steady the gradient (multi-sample dropout; Inoue,
        2019, https://arxiv.org/abs/1905.09788).
        """
        arguments = self._arguments
        passes = []
        losses = []
        for _ in range(2 if arguments.rdrop_weight else 1):
            with torch.autocast(
                self._device.type, dtype=torch.bfloat16, enabled=arguments.precision == "bf16"
            ):
                pooled = mean_pool(self._model.encoder, batch.input_ids, batch.attention_mask)
                reads = [self._model.read(pooled) for _ in range(arguments.sample_dropouts)]
            losses += [self._objective(read, batch) for read in reads]
            passes.append(reads[0].emotion.float())
        total = torch.stack([loss for loss, _ in losses]).mean()
        parts = {name: torch.stack([part[name] for _, part in losses]).mean() for name in losses[0][1]}
        if arguments.rdrop_weight:
            parts["rdrop"] = divergence(*passes)
            total = total + arguments.rdrop_weight * parts["rdrop"]
        return total, parts

    def _average_gradients(self, sums: dict[str, Tensor], interrupt: Interrupt) -> bool:
        """Averages gradients and measures over the processes, in place; says whether any is to stop."""
        if self._accelerator.num_processes == 1:
            return interrupt.requested
        gradients = [weight.grad for weight in self._trained if weight.grad is not None]
        extra = torch.stack([*sums.values(), torch.tensor(float(interrupt.requested), device=self._device)])
        flat = torch.cat([gradient.flatten() for gradient in gradients] + [extra])
        flat = self._accelerator.reduce(flat, "mean")
        at = 0
        for gradient in gradients:
            gradient.copy_(flat[at : at + gradient.numel()].view_as(gradient))
            at += gradient.numel()
        for offset, name in enumerate(sums):
            sums[name] = flat[at + offset]
        return bool(flat[-1] > 0)

    def _end_epoch(self, started: float, curves: Curves) -> None:
        """Measures, keeps the model if it is the best yet, and saves the state."""
        position = self.position
        outcome: list[Any] = [None]
        if self._accelerator.is_main_process:
            average = self._average
            if average is None:
                outcome[0] = self._measure(curves)
            else:
                with average.in_place(self._model):
                    outcome[0] = self._measure(curves)
        scores: Mapping[str, float] = broadcast_object_list(outcome)[0]
        position.seconds = time.monotonic() - started
        position.history.append({"epoch": position.epoch, "seconds": round(position.seconds), **scores})
        position.stale_epochs = 0 if scores[CHOSEN_BY] > position.best else position.stale_epochs + 1
        position.best = max(position.best, scores[CHOSEN_BY])
        position.epoch += 1
        position.step_of_epoch = 0
        self._save_state()

    def _measure(self, curves: Curves) -> dict[str, float]:
        scores = self._judge(self._model)
        tqdm.write(_line(self.position.epoch, scores), file=sys.stderr)
        if self._arguments.keep == "last" or scores[CHOSEN_BY] > self.position.best:
            self._run.save_model(dataclasses.asdict(self._model.config), merged_state(self._model))
        curves.add("dev", scores, self.position.step)
        return scores

    def _has_stalled(self) -> bool:
        return 0 < self._arguments.patience <= self.position.stale_epochs

    def _save_state(self) -> None:
        randomness = gather_object([_randomness()])
        if not self._accelerator.is_main_process:
            return
        self._run.save_state(
            {
                "fingerprint": self._fingerprint,
                "processes": self._accelerator.num_processes,
                "position": dataclasses.asdict(self.position),
                "model": self._model.state_dict(),
                "optimizer": self._optimizer.state_dict(),
                "schedule": {"last_epoch": self._schedule.last_epoch, "rates": self._schedule.get_last_lr()},
                "average": None if self._average is None else self._average.state_dict(),
                "randomness": randomness,
            }
        )

    def _restore(self) -> None:
        """Takes up the saved state, if there is one."""
        state = self._run.load_state()
        if state is None:
            return
        path = self._run.file(STATE_FILE)
        if state.get("fingerprint") != self._fingerprint:
            raise WeightError(f"{path} is of other settings or data (a data file has changed since)")
        if state["processes"] != self._accelerator.num_processes:
            raise WeightError(f"{path} was saved by {state['processes']} processes; resume with as many")
        try:
            self._model.load_state_dict(state["model"])
            self._optimizer.load_state_dict(state["optimizer"])
            self._schedule.last_epoch = state["schedule"]["last_epoch"]
            self._schedule._step_count = self._schedule.last_epoch + 1
            self._schedule._last_lr = list(state["schedule"]["rates"])
            if self._average is not None:
                self._average.load_state_dict(state["average"])
            self.position = Position(**state["position"])
            _restore_randomness(state["randomness"][self._accelerator.process_index])
        except (KeyError, RuntimeError, TypeError, ValueError) as error:
            raise WeightError(f"{path} doesn't fit this run: {error}") from error

    def _broken(self, measures: Mapping[str, float]) -> str:
        position = self.position
        kept = "the best checkpoint so far is kept" if position.history else "nothing was saved yet"
        return (
            f"the loss is {measures['loss']} and its gradient {measures['gradient_norm']} at step "
            f"{position.step + 1} (epoch {position.epoch}); try a lower --learning-rate than "
            f"{self._arguments.learning_rate:g}, a longer --warmup-share or --precision float32; {kept}"
        )


def _line(epoch: int, scores: Mapping[str, float]) -> str:
    return f"epoch {epoch}: " + ", ".join(f"{name} {value:.4f}" for name, value in scores.items())


def _randomness() -> dict[str, Tensor]:
    """The state of the generators dropout draws from; whatever else is random has one of its own."""
    state = {"cpu": torch.get_rng_state()}
    if torch.cuda.is_available():
        state["cuda"] = torch.cuda.get_rng_state()
    return state


def _restore_randomness(state: Mapping[str, Tensor]) -> None:
    torch.set_rng_state(state["cpu"])
    if torch.cuda.is_available() and "cuda" in state:
        torch.cuda.set_rng_state(state["cuda"])
