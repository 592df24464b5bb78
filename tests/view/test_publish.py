"""Widgets are changed in one place, in one thread, and nothing is kept alive for it."""

from __future__ import annotations

import asyncio
import gc
import threading

import pytest

from smlnb.view.publish import Publisher


class Panel:
    """Counts its refreshes and the threads they ran in."""

    def __init__(self) -> None:
        self.threads: list[threading.Thread] = []

    def refresh(self) -> None:
        self.threads.append(threading.current_thread())


async def until(predicate) -> None:
    async with asyncio.timeout(10):
        while not predicate():  # noqa: ASYNC110 - any predicate, without a hook
            await asyncio.sleep(0.001)


def test_without_a_kernel_a_call_runs_at_once() -> None:
    seen: list[int] = []
    Publisher().call(seen.append, 1)
    assert seen == [1]


def test_a_worker_thread_hands_its_call_to_the_main_thread() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        publisher = Publisher(find_loop=lambda: loop)
        where: list[threading.Thread] = []
        worker = threading.Thread(target=publisher.call, args=(lambda: where.append(threading.current_thread()),))
        worker.start()
        await until(lambda: where)
        worker.join()
        assert where == [threading.main_thread()]

    asyncio.run(main())


def test_slow_work_runs_beside_the_main_thread_and_its_result_comes_back_to_it() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        publisher = Publisher(find_loop=lambda: loop)
        seen: list[tuple[bool, bool]] = []
        publisher.work(
            lambda: threading.current_thread() is threading.main_thread(),
            lambda result: seen.append((result(), threading.current_thread() is threading.main_thread())),
        )
        await until(lambda: seen)
        assert seen == [(False, True)]

    asyncio.run(main())


def test_what_slow_work_raises_is_raised_where_its_result_is_asked_for() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        publisher = Publisher(find_loop=lambda: loop)
        seen: list[str] = []

        def done(result) -> None:
            with pytest.raises(ZeroDivisionError) as caught:
                result()
            seen.append(str(caught.value))

        publisher.work(lambda: 1 // 0, done)
        await until(lambda: seen)
        assert "zero" in seen[0]

    asyncio.run(main())


def test_panels_are_refreshed_in_the_main_thread_at_most_at_the_given_rate() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        publisher = Publisher(every=0.05, find_loop=lambda: loop)
        panel = Panel()
        begun = loop.time()
        publisher.watch(panel)
        await until(lambda: len(panel.threads) >= 5)
        assert set(panel.threads) == {threading.main_thread()}
        assert loop.time() - begun >= 4 * 0.05
        publisher.forget(panel)

    asyncio.run(main())


def test_watching_many_panels_makes_one_round_of_refreshes() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        publisher = Publisher(every=0.01, find_loop=lambda: loop)
        panels = [Panel() for _ in range(5)]
        for panel in panels:
            publisher.watch(panel)
        await until(lambda: len(panels[-1].threads) >= 3)
        counts = {len(panel.threads) for panel in panels}
        assert max(counts) - min(counts) <= 1

    asyncio.run(main())


def test_a_panel_that_nobody_refers_to_is_let_go() -> None:
    publisher = Publisher(find_loop=lambda: None)
    panel = Panel()
    threads = panel.threads
    publisher.watch(panel)
    publisher.tick()
    del panel
    gc.collect()
    publisher.tick()
    assert len(threads) == 1


def test_a_panel_on_a_page_lives_without_a_reference_until_it_leaves_the_page() -> None:
    publisher = Publisher(find_loop=lambda: None)
    panel = Panel()
    threads = panel.threads
    publisher.watch(panel)
    publisher.shown(panel, on_page=True)
    del panel
    gc.collect()
    publisher.tick()
    assert len(threads) == 1
    for kept in list(publisher._shown):
        publisher.shown(kept, on_page=False)
    del kept
    gc.collect()
    publisher.tick()
    assert len(threads) == 1


def test_a_slow_panel_slows_the_ticking_not_the_kernel() -> None:
    class Slow(Panel):
        def refresh(self) -> None:
            super().refresh()
            threading.Event().wait(0.05)

    async def main() -> None:
        loop = asyncio.get_running_loop()
        publisher = Publisher(every=0.001, find_loop=lambda: loop)
        panel = Slow()
        begun = loop.time()
        publisher.watch(panel)
        await until(lambda: len(panel.threads) >= 3)
        assert loop.time() - begun >= 2 * (0.05 + 4 * 0.05)
        publisher.forget(panel)

    asyncio.run(main())
