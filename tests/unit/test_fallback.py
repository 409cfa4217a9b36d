"""Danger is answered by the channel itself, whatever is down behind it, and nothing of it is forgotten."""

from __future__ import annotations

import asyncio
import stat
import time
import uuid
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from rasa.core.channels.channel import UserMessage

from bot.channels import record
from bot.channels.exchange import Exchange
from bot.channels.fallback import PHRASES, Fallback, UnkeptAnswer
from bot.channels.intake import Incoming
from bot.channels.pool import BusyError, StoragePool
from bot.channels.spool import Contents, Spool, SpooledDanger
from bot.core.crisis import Stage
from bot.core.crisis_themes import Theme, theme_of
from bot.core.errors import ContractError, StorageError
from bot.core.fallback import care_text, helplines_text, with_lines
from bot.core.handoff import HandoffState
from bot.core.helplines import Helplines, last_resort
from bot.core.reading import RiskKind, RiskLevel, RiskReading
from bot.core.turn import Author, PersonTurn
from bot.storage import audit, conversations, decisions, handoffs, pages, readings, turns
from bot.storage.database import Database

SENDER = "web-someone"
KEY = b"k" * 32
DANGER = {"en": "I want to die tonight", "zh": "我今晚想死"}
HARMLESS = {"en": "my shoes are blue", "zh": "我的鞋子是蓝色的"}
DIRECTORIES = ("findahelpline.com", "befrienders.org")
HONEST = {"en": "I have to be honest", "zh": "跟你说实话"}


def patterns(text: str) -> dict[str, Any]:
    """Reads crisis in the two texts of danger above."""
    for words in ("want to die", "想死"):
        if words in text:
            return {"level": "crisis", "score": 0.9, "kind": "self_harm", "evidence": [words]}
    return {"level": "none", "score": 0.0, "kind": None, "evidence": []}


def message(text: str, language: str = "en", message_id: str = "") -> Incoming:
    return Incoming(text, message_id or uuid.uuid4().hex, language)


class Pool(StoragePool):
    """A storage pool whose database can be away, or hang."""

    is_away = False
    hangs = False

    async def _submit(self, call: Callable[[], Any]) -> Any:
        if self.hangs:
            await asyncio.sleep(60.0)
        if self.is_away:
            raise StorageError("the database is away")
        return await super()._submit(call)


class Channel:
    """A channel with a real database, spool, fallback and exchange, and a stand-in where Rasa is."""

    def __init__(self, folder: Path) -> None:
        self.database = Database(f"sqlite:///{folder / 'attune.db'}")
        self.database.migrate()
        self.pool = Pool(self.database)
        self.spool = Spool(folder)
        self.rasa: Callable[[UserMessage], Any] = self.says("An answer.")
        self.handled: list[str] = []
        self.begin()

    def begin(self) -> None:
        """As after a restart: nothing is left but the database and the spool."""
        self.fallback = Fallback("web", self.pool, self.spool, KEY, patterns)
        self.exchange = Exchange(
            "web", self.pool, self._handle, self.fallback, answer_within_s=0.3, give_up_after_s=1.0
        )

    def says(self, text: str, risk: RiskReading | None = None, after_s: float = 0.0) -> Callable[..., Any]:
        """A Rasa that answers, and keeps that with what it read."""

        async def rasa(said: UserMessage) -> None:
            await asyncio.sleep(after_s)
            with self.database.session(exclusive=True) as session:
                conversation = conversations.find(session, said.sender_id, lock=True)
                assert conversation is not None
                turn = turns.by_message(session, conversation.id, [said.message_id])[said.message_id]
                readings.add(session, turn.id, None, risk or RiskReading())
                turns.set_read(session, turn.id, "en", "share_feeling", 0.9)
                turns.add_bot(session, conversation.id, text, 1.0)
            await said.output_channel.send_text_message(said.sender_id, text)

        return rasa

    def answers(self) -> list[str]:
        """What the record says was answered."""
        return [turn.text for turn in self.turns() if turn.author is Author.BOT]

    def turns(self) -> list[Any]:
        with self.database.session() as session:
            found = conversations.find(session, SENDER)
            return turns.history(session, found.id) if found else []

    def handoff(self) -> Any:
        with self.database.session() as session:
            found = handoffs.listing(session, (HandoffState.WAITING, HandoffState.HUMAN))
            assert len(found) <= 1
            return found[0] if found else None

    def pages(self) -> list[Any]:
        with self.database.session() as session:
            return pages.live(session)

    def state(self) -> Any:
        with self.database.session() as session:
            found = conversations.find(session, SENDER)
            assert found is not None
            return found.state

    async def say(self, incoming: Incoming) -> list[str]:
        """Sends a message; what came back."""
        answer = await self.exchange.deliver(SENDER, incoming)
        return [turn["text"] for turn in answer["turns"]]

    async def _handle(self, said: UserMessage) -> Any:
        self.handled.append(said.text or "")
        return await self.rasa(said)


@pytest.fixture
async def channel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Channel]:
    monkeypatch.setattr("bot.channels.exchange.KEEP_WITHIN_S", 60.0)  # a busy machine is no broken database
    made = Channel(tmp_path)
    yield made
    made.pool.hangs = False
    await made.exchange.close()
    await made.fallback.close()
    await made.pool.close()


async def raising(_message: UserMessage) -> None:
    raise RuntimeError("Rasa is broken")


async def silent(_message: UserMessage) -> None:
    return None


async def hanging(_message: UserMessage) -> None:
    await asyncio.sleep(60.0)


async def without_model(_message: UserMessage) -> None:
    raise AttributeError("'types.SimpleNamespace' object has no attribute 'agent'")


@pytest.mark.parametrize("rasa", [raising, silent, hanging, without_model])
@pytest.mark.parametrize("language", ["en", "zh"])
async def test_danger_is_answered_once_whatever_is_wrong_with_rasa(
    channel: Channel, rasa: Callable[..., Any], language: str
) -> None:
    channel.rasa = rasa
    incoming = message(DANGER[language], language)
    (said,) = await channel.say(incoming)
    assert HONEST[language] in said
    assert all(name in said for name in DIRECTORIES)
    assert await channel.say(incoming) == [said]
    assert channel.answers() == [said]
    assert channel.handled == [DANGER[language]]
    assert "messages_without_answer" in channel.fallback.problems()


async def test_that_answer_asks_a_human_in_and_is_kept_with_its_grounds(channel: Channel) -> None:
    channel.rasa = raising
    await channel.say(message(DANGER["en"]))
    handoff = channel.handoff()
    assert (handoff.level, handoff.reason, handoff.state) == (
        "crisis",
        "risk_self_harm",
        HandoffState.WAITING,
    )
    assert any("want to die" in ground for ground in handoff.evidence)
    assert any("RuntimeError" in ground for ground in handoff.evidence)
    (page,) = channel.pages()
    assert (page.level, page.kind) == ("crisis", "self_harm")
    crisis = channel.state().crisis
    assert (crisis.stage, crisis.danger.is_told, crisis.human_asked) == (Stage.OPEN, True, True)
    with channel.database.session() as session:
        person, bot = turns.history(session, handoff.conversation_id)
        assert readings.of_turns(session, [person.id])[person.id].risk.level is RiskLevel.CRISIS
        (made,) = decisions.of_conversation(session, handoff.conversation_id)
        events = [row.event for row in audit.of_conversation(session, handoff.conversation_id)]
    assert (made.decision.policy, made.decision.action, bot.action) == (
        "Channel",
        "utter_crisis_die",
        "utter_crisis_die",
    )
    assert events == [audit.DANGER_READ, audit.CRISIS_ANSWERED, audit.HUMAN_OFFERED, audit.HANDOFF_OPENED]


async def test_late_answer_of_rasa_follows_and_repeats_nothing(channel: Channel) -> None:
    channel.rasa = channel.says("Late.", RiskReading(RiskLevel.CRISIS, 0.9, RiskKind.SELF_HARM), after_s=0.6)
    incoming = message(DANGER["en"])
    (said,) = await channel.say(incoming)
    for _ in range(400):
        if len(channel.answers()) == 2:
            break
        await asyncio.sleep(0.05)
    assert channel.answers() == [said, "Late."]
    assert await channel.say(incoming) == [said, "Late."]
    assert len(channel.pages()) == 1


async def test_danger_while_a_human_is_waited_for_is_answered_again(channel: Channel) -> None:
    channel.rasa = raising
    await channel.say(message(DANGER["en"]))
    (said,) = await channel.say(message(DANGER["en"]))
    assert HONEST["en"] in said
    assert len(channel.answers()) == 2


@pytest.mark.parametrize("rasa", [raising, silent, hanging])
@pytest.mark.parametrize(("language", "reply"), [("en", "yes"), ("zh", "嗯，是的")])
async def test_somebody_in_danger_is_never_left_in_silence(
    channel: Channel, rasa: Callable[..., Any], language: str, reply: str
) -> None:
    channel.rasa = raising
    await channel.say(message(DANGER[language], language))
    channel.rasa = rasa
    (said,) = await channel.say(message(reply, language))
    assert HONEST[language] in said
    assert all(name in said for name in DIRECTORIES)
    channel.pool.is_away = True
    with pytest.raises(StorageError):  # nothing was said in this outage that the fallback could know of
        await channel.say(message(reply, language))
    with pytest.raises(UnkeptAnswer):
        await channel.say(message(DANGER[language], language))
    with pytest.raises(UnkeptAnswer) as caught:
        await channel.say(message(reply, language))
    assert not caught.value.is_danger
    assert all(name in caught.value.text for name in DIRECTORIES)


async def test_danger_is_kept_without_a_word_while_a_human_has_the_conversation(channel: Channel) -> None:
    await channel.pool.write(record.ask_human, SENDER, "web", "en", 1.0)
    with channel.database.session(exclusive=True) as session:
        handoffs.take(session, handoffs.listing(session, (HandoffState.WAITING,))[0].id, "Ann", 2.0)
    before = channel.answers()
    channel.rasa = raising
    assert await channel.say(message(DANGER["en"])) == []
    assert channel.answers() == before
    assert channel.handoff().level == "crisis"


async def test_danger_that_rasa_answered_as_such_is_left_to_it(channel: Channel) -> None:
    channel.rasa = channel.says("Its own words.", RiskReading(RiskLevel.HIGH, 0.7, RiskKind.SELF_HARM))
    assert await channel.say(message(DANGER["en"])) == ["Its own words."]
    assert channel.fallback.problems() == ["no_helplines"]


async def test_danger_that_rasa_answered_as_if_there_were_none_is_answered(channel: Channel) -> None:
    channel.rasa = channel.says("Try to breathe slowly.")
    first, second = await channel.say(message(DANGER["en"]))
    assert first == "Try to breathe slowly."
    assert HONEST["en"] in second
    assert channel.handoff().level == "crisis"


@pytest.mark.parametrize("rasa", [raising, silent, hanging])
@pytest.mark.parametrize(("language", "word"), [("en", "isn't working"), ("zh", "出了点问题")])
async def test_message_without_danger_gets_an_apology_and_calls_nobody(
    channel: Channel, rasa: Callable[..., Any], language: str, word: str
) -> None:
    channel.rasa = rasa
    (said,) = await channel.say(message(HARMLESS[language], language))
    assert word in said
    assert not any(name in said for name in DIRECTORIES)
    assert channel.turns()[0].text == HARMLESS[language]
    assert channel.handoff() is None


async def test_server_that_is_blocked_still_has_a_human_asked_in(
    channel: Channel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.channels.exchange.KEEP_WITHIN_S", 0.0)
    monkeypatch.setattr("bot.channels.fallback.BLOCKED_AFTER_S", 0.1)
    seen = []

    async def blocking(_message: UserMessage) -> None:
        for _ in range(100):  # in the event loop's own thread, as a component that hangs
            time.sleep(0.1)  # noqa: ASYNC251
            seen.append(channel.handoff())
            if seen[-1] is not None:
                return

    channel.rasa = blocking
    incoming = message(DANGER["en"])
    with pytest.raises(UnkeptAnswer):
        await channel.say(incoming)
    assert seen[-1].level == "crisis"
    monkeypatch.setattr("bot.channels.exchange.KEEP_WITHIN_S", 60.0)
    (said,) = await channel.say(incoming)
    await channel.fallback.take_in()
    await channel.fallback.take_in()
    assert channel.answers() == [said]
    assert channel.spool.is_empty


@pytest.mark.parametrize("way", ["is_away", "hangs"])
@pytest.mark.parametrize("language", ["en", "zh"])
async def test_danger_is_answered_without_a_database(
    channel: Channel, monkeypatch: pytest.MonkeyPatch, way: str, language: str
) -> None:
    monkeypatch.setattr("bot.channels.exchange.KEEP_WITHIN_S", 0.1)
    setattr(channel.pool, way, True)
    incoming = message(DANGER[language], language)
    with pytest.raises(UnkeptAnswer) as caught:
        await channel.say(incoming)
    said = caught.value.text
    assert caught.value.is_danger
    assert HONEST[language] in said
    assert all(name in said for name in DIRECTORIES)
    with pytest.raises(UnkeptAnswer) as again:
        await channel.say(incoming)
    assert again.value.text == said
    assert len(channel.spool.read().dangers) == 1
    assert "danger_not_in_database" in channel.fallback.problems()


async def test_spool_holds_bare_facts_for_its_owner_alone(channel: Channel) -> None:
    channel.pool.is_away = True
    incoming = message(DANGER["en"])
    with pytest.raises(UnkeptAnswer):
        await channel.say(incoming)
    raw = channel.spool.path.read_bytes()
    for secret in ("die", SENDER, incoming.message_id):
        assert secret.encode() not in raw
    assert stat.S_IMODE(channel.spool.path.stat().st_mode) == 0o600
    (danger,) = channel.spool.read().dangers
    assert (danger.channel, danger.level, danger.kind) == ("web", RiskLevel.CRISIS, RiskKind.SELF_HARM)


async def test_words_held_in_memory_are_kept_once_the_database_is_back(channel: Channel) -> None:
    channel.pool.is_away = True
    incoming = message(DANGER["zh"], "zh")
    with pytest.raises(UnkeptAnswer):
        await channel.say(incoming)
    with pytest.raises(StorageError):
        await channel.fallback.take_in()
    channel.pool.is_away = False
    for _ in range(2):
        await channel.fallback.take_in()
    (said,) = channel.answers()
    assert channel.turns()[0].text == DANGER["zh"]
    assert HONEST["zh"] in said
    assert channel.handoff().level == "crisis"
    assert len(channel.pages()) == 1
    assert channel.spool.is_empty
    assert await channel.say(incoming) == [said]
    assert channel.handled == []


async def test_message_that_was_sent_again_is_left_to_rasa(channel: Channel) -> None:
    channel.pool.is_away = True
    incoming = message(DANGER["en"])
    with pytest.raises(UnkeptAnswer):
        await channel.say(incoming)
    channel.pool.is_away = False
    channel.rasa = channel.says("Its own words.", RiskReading(RiskLevel.HIGH, 0.7, RiskKind.SELF_HARM))
    assert await channel.say(incoming) == ["Its own words."]
    await channel.fallback.take_in()
    await channel.fallback.take_in()
    assert channel.answers() == ["Its own words."]
    assert channel.spool.is_empty


@pytest.mark.parametrize("is_known_sender", [True, False])
async def test_danger_of_an_earlier_run_asks_a_human_in_once(channel: Channel, is_known_sender: bool) -> None:
    if is_known_sender:
        await channel.say(message(HARMLESS["en"]))
    channel.pool.is_away = True
    with pytest.raises(UnkeptAnswer):
        await channel.say(message(DANGER["en"]))
    left = channel.spool.path.read_bytes()
    channel.begin()
    channel.pool.is_away = False
    await channel.fallback.take_in()
    handoff = channel.handoff()
    assert (handoff.level, handoff.reason) == ("crisis", "risk_self_harm")
    assert "what the person wrote was not kept" in handoff.evidence
    assert len(channel.pages()) == 1
    assert channel.spool.is_empty
    with channel.database.session(exclusive=True) as session:
        conversation = conversations.get(session, handoff.conversation_id)
        assert (conversation.sender_id == SENDER) is is_known_sender
        assert conversation.state.crisis.stage is Stage.OPEN
        texts = [turn.text for turn in turns.history(session, conversation.id)]
        assert "could not be kept" in texts[-2]
        handoffs.take(session, handoff.id, "Ann", 2e9)
        handoffs.give_back(session, handoff.id, "Ann", 2e9)
        rows = len(list(audit.of_conversation(session, conversation.id)))
    channel.spool.path.write_bytes(left)  # as when the power went before the file was emptied
    channel.begin()
    await channel.fallback.take_in()
    assert channel.handoff() is None
    assert channel.spool.is_empty
    with channel.database.session() as session:
        assert len(list(audit.of_conversation(session, conversation.id))) == rows


async def test_message_that_came_in_after_a_restart_needs_no_page_of_its_own(channel: Channel) -> None:
    channel.pool.is_away = True
    incoming = message(DANGER["en"])
    with pytest.raises(UnkeptAnswer):
        await channel.say(incoming)
    channel.begin()
    channel.pool.is_away = False
    channel.rasa = channel.says("Its own words.", RiskReading(RiskLevel.HIGH, 0.7, RiskKind.SELF_HARM))
    await channel.say(incoming)
    await channel.fallback.take_in()
    assert channel.answers() == ["Its own words."]
    assert channel.spool.is_empty


async def test_words_of_another_channel_are_left_to_it(channel: Channel) -> None:
    await channel.fallback.take_in()  # nothing of an earlier run
    danger = SpooledDanger("k", "s", "rest", 1.0, RiskLevel.HIGH, RiskKind.ABUSE)
    channel.spool.add(danger)
    await channel.fallback.take_in()
    assert channel.spool.read().dangers == (danger,)
    assert channel.handoff() is None


async def test_danger_is_answered_when_neither_database_nor_disk_can_be_written(channel: Channel) -> None:
    channel.pool.is_away = True
    channel.spool.path = Path("/proc/nowhere/spool")
    with pytest.raises(UnkeptAnswer) as caught:
        await channel.say(message(DANGER["en"]))
    assert all(name in caught.value.text for name in DIRECTORIES)


async def test_danger_is_answered_when_too_much_is_in_hand(
    channel: Channel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.channels.exchange.MAX_RUNNING", 0)
    with pytest.raises(BusyError):
        await channel.say(message(HARMLESS["en"]))
    with pytest.raises(UnkeptAnswer):
        await channel.say(message(DANGER["en"]))


async def test_without_patterns_every_apology_names_helplines(channel: Channel) -> None:
    channel.fallback.patterns = None
    channel.rasa = raising
    (said,) = await channel.say(message(DANGER["zh"], "zh"))
    assert "出了点问题" in said
    assert all(name in said for name in DIRECTORIES)
    assert channel.handoff() is None
    channel.pool.is_away = True
    with pytest.raises(UnkeptAnswer) as caught:
        await channel.say(message(HARMLESS["en"]))
    assert not caught.value.is_danger
    assert all(name in caught.value.text for name in DIRECTORIES)
    assert "no_risk_patterns" in channel.fallback.problems()


async def test_reading_that_fails_stops_nothing(channel: Channel) -> None:
    def broken(_text: str) -> dict[str, Any]:
        raise RuntimeError("the patterns are broken")

    channel.fallback.patterns = broken
    assert await channel.say(message(DANGER["en"])) == ["An answer."]


@pytest.mark.parametrize("text", [*DANGER.values(), "I'm going to kill myself", "我要自杀"])
async def test_reviewed_patterns_read_it(channel: Channel, text: str) -> None:
    from nlu_models.risk.words import RiskWords

    channel.fallback.patterns = RiskWords(PHRASES).read
    channel.rasa = raising
    (said,) = await channel.say(message(text))
    assert all(name in said for name in DIRECTORIES)
    assert any("\u4e00" <= char <= "\u9fff" for char in said) == any(
        "\u4e00" <= char <= "\u9fff" for char in text
    )


def danger(number: int) -> SpooledDanger:
    return SpooledDanger(f"k{number}", "s", "web", float(number), RiskLevel.HIGH, RiskKind.ABUSE)


def test_spool_keeps_what_was_added_since_it_was_read(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    assert spool.read() == Contents()
    spool.add(danger(1))
    spool.add(danger(2))
    contents = spool.read()
    spool.add(danger(3))
    spool.drop(contents, [danger(2)])
    assert spool.read().dangers == (danger(2), danger(3))
    spool.drop(contents)  # by another process that had read the same
    assert spool.read().dangers == (danger(2), danger(3))


def test_spool_is_bounded(tmp_path: Path) -> None:
    spool = Spool(tmp_path, max_bytes=2 * len(danger(1).to_json()))
    assert [spool.add(danger(number)) for number in range(3)] == [True, True, False]
    assert len(spool.read().dangers) == 2


def test_spool_passes_over_a_line_that_was_cut_off(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    spool.add(danger(1))
    with spool.path.open("ab") as file:
        file.write(danger(2).to_json()[:20] + b"\n" + b'{"key": 1}\n[]\n\xff\n')
    spool.add(danger(3))
    assert spool.read().dangers == (danger(1), danger(3))


def test_line_of_the_spool_is_checked() -> None:
    assert SpooledDanger.from_json(danger(1).to_json()) == danger(1)
    with pytest.raises(ContractError):
        SpooledDanger.from_json(danger(1).to_json().replace(b"high", b"low"))


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("is_human_asked", [True, False])
def test_every_theme_has_its_own_answer(language: str, is_human_asked: bool) -> None:
    said = {
        RiskKind.SELF_HARM: ("i want to die", "cut myself", "better off without me", "goodbye", "no more"),
        RiskKind.ABUSE: ("he hits me",),
        RiskKind.HARM_TO_OTHERS: ("kill him",),
        RiskKind.MEDICAL: ("can't breathe",),
    }
    texts = set()
    themes = set()
    for kind, words in said.items():
        for each in words:
            risk = RiskReading(RiskLevel.CRISIS, 0.9, kind, (each,))
            turn = PersonTurn(each, 1.0, reply_language=language, risk=risk)
            themes.add(theme_of(risk, each))
            text = care_text(turn, "THE LINES", is_human_asked)
            assert "\n\nTHE LINES\n\n" in text
            assert HONEST[language] in text
            assert any("\u4e00" <= char <= "\u9fff" for char in text) == (language == "zh")
            texts.add(text)
    assert len(texts) == len(themes) >= 7
    assert themes <= set(Theme)


def test_someone_to_call_is_named_whatever_the_table_is_like() -> None:
    class Broken(Helplines):
        def describe(self, *_: object) -> str:
            raise RuntimeError("the table is broken")

    for language in ("en", "zh", "fr"):
        for table in (None, Helplines(), Broken()):
            text = helplines_text(table, "GB", language, RiskKind.SELF_HARM)
            assert all(name in text for name in DIRECTORIES)
    assert helplines_text(None, None, "en", None) == last_resort("en")
    assert "SENTENCE" in with_lines("SENTENCE", "zh", "LINES")
