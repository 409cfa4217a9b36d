"""The lock store under waiting and cancelling, and the guard against stores that keep nothing."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from rasa.core.agent import Agent
from rasa.core.lock_store import LockError
from rasa.core.tracker_store import FailSafeTrackerStore

from bot.core.errors import StorageError
from bot.storage.database import Database
from bot.stores.guard import require_durable_store
from bot.stores.lock_store import AttuneLockStore
from bot.stores.tracker_store import AttuneTrackerStore


async def test_first_come_first_served() -> None:
    store, order, inside = AttuneLockStore(), [], 0

    async def work(number: int) -> None:
        nonlocal inside
        async with store.lock("s"):
            inside += 1
            assert inside == 1
            await asyncio.sleep(0)
            order.append(number)
            inside -= 1

    await asyncio.gather(*(work(number) for number in range(20)))
    assert order == list(range(20))
    assert not store._held


async def test_other_conversations_do_not_wait() -> None:
    store = AttuneLockStore()
    async with store.lock("a"), store.lock("b"):
        assert not store.is_someone_waiting("a")


async def test_a_cancelled_waiter_is_passed_over() -> None:
    store, served = AttuneLockStore(), []

    async def work(number: int) -> None:
        async with store.lock("s"):
            served.append(number)

    async with store.lock("s"):
        tasks = [asyncio.create_task(work(number)) for number in range(3)]
        await asyncio.sleep(0)
        assert store.is_someone_waiting("s")
        tasks[1].cancel()
        await asyncio.sleep(0)
    await asyncio.gather(*tasks, return_exceptions=True)
    assert served == [0, 2]
    assert not store._held


async def test_a_waiter_cancelled_while_its_turn_comes_hands_it_on() -> None:
    store, served = AttuneLockStore(), []

    async def work(number: int) -> None:
        async with store.lock("s"):
            served.append(number)

    async with store.lock("s"):
        tasks = [asyncio.create_task(work(number)) for number in range(2)]
        await asyncio.sleep(0)
    tasks[0].cancel()  # the lock is its already, but it has not run yet
    await asyncio.gather(*tasks, return_exceptions=True)
    assert served == [1]
    assert not store._held


async def test_waiting_too_long_is_an_error_and_frees_the_place() -> None:
    store = AttuneLockStore()
    async with store.lock("s"):
        with pytest.raises(LockError, match="Waited"):
            async with store.lock("s", lock_lifetime=0.01):
                pass
        assert not store.is_someone_waiting("s")
    assert not store._held


async def test_an_error_inside_frees_the_lock() -> None:
    store = AttuneLockStore()
    with pytest.raises(ValueError, match="inside"):
        async with store.lock("s"):
            raise ValueError("inside")
    assert not store._held


def test_a_store_in_memory_is_refused() -> None:
    with pytest.raises(StorageError, match=r"endpoints\.yml"):
        require_durable_store(Agent())


def test_our_store_is_used_directly(tmp_path: Path) -> None:
    ours = AttuneTrackerStore(database=Database(f"sqlite:///{tmp_path / 'attune.db'}"))
    agent = Agent(tracker_store=ours)
    assert isinstance(agent.tracker_store, FailSafeTrackerStore)
    assert require_durable_store(agent) is ours
    assert agent.tracker_store is ours
