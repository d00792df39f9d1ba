"""Promises of edgeseg.channel."""

import threading

import pytest

from edgeseg.channel import Channel, Closed


def test_items_arrive_in_order_across_threads() -> None:
    channel: Channel[int] = Channel(2)
    sender = threading.Thread(
        target=lambda: ([channel.put(n) for n in range(1000)], channel.close())
    )
    sender.start()
    got = []
    with pytest.raises(Closed):
        while True:
            got.append(channel.get(5))
    sender.join(5)
    assert got == list(range(1000))


def test_put_waits_while_full_and_close_frees_it() -> None:
    channel: Channel[int] = Channel(1)
    channel.put(0)
    answers: list[bool] = []
    sender = threading.Thread(target=lambda: answers.append(channel.put(1)))
    sender.start()
    sender.join(0.1)
    assert sender.is_alive(), "put must wait for room"
    channel.close()
    sender.join(5)
    assert answers == [False]


def test_newest_wins_drops_the_oldest_and_counts_it() -> None:
    channel: Channel[int] = Channel(1, newest_wins=True)
    for number in range(10):
        assert channel.put(number)
    assert channel.get() == 9
    assert channel.dropped == 9


def test_an_error_arrives_after_the_items_before_it() -> None:
    channel: Channel[int] = Channel(2)
    channel.put(1)
    channel.close(ValueError("broken"))
    channel.close(ValueError("too late"))
    assert channel.get() == 1
    for _ in range(2):
        with pytest.raises(ValueError, match="broken"):
            channel.get()


def test_get_waits_no_longer_than_told() -> None:
    with pytest.raises(TimeoutError):
        Channel[int](1).get(0.01)


def test_discard_throws_waiting_items_away() -> None:
    channel: Channel[int] = Channel(2)
    channel.put(1)
    channel.close(discard=True)
    with pytest.raises(Closed):
        channel.get()
