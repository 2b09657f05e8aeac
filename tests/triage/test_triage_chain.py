import json
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prostate_alm.triage.chain import HEALED, START, canonical, read_chain, seal


def chain(*contents):
    """The bytes of a log."""
    data, head = b"", START
    for number, content in enumerate(contents):
        line, head = seal(content, number, head)
        data += line
    return data, head


THREE = ({"event": "log"}, {"event": "result", "n": 1.5}, {"event": "result", "text": "ü\n "})


def test_what_was_written_is_read_back_in_order():
    data, head = chain(*THREE)
    found = read_chain(data)
    assert [{key: entry[key] for key in content} for entry, content in zip(found.entries, THREE, strict=True)] == [
        *THREE
    ]
    assert (found.lines, found.head, found.torn, found.broken) == ((1, 2, 3), head, None, "")


def test_no_bytes_are_an_empty_chain():
    found = read_chain(b"")
    assert (found.entries, found.head, found.torn, found.broken) == ((), START, None, "")


def test_every_single_changed_byte_is_seen():
    data, _ = chain(*THREE)
    for place in range(len(data)):
        for value in {data[place] ^ (1 << bit) for bit in range(8)} | {0, 10, 32}:
            if value != data[place]:
                found = read_chain(data[:place] + bytes([value]) + data[place + 1 :])
                assert found.broken or found.torn is not None, (place, value)


@given(st.data())
def test_bytes_taken_out_or_put_in_are_seen(given_):
    data, head = chain(*THREE)
    start = given_.draw(st.integers(0, len(data) - 1))
    end = given_.draw(st.integers(start, len(data) - 1))  # a tail that is cut off needs the last hash
    put = given_.draw(st.binary(max_size=5))
    changed = data[:start] + put + data[end:]
    found = read_chain(changed)
    assert changed == data or found.broken or found.torn is not None or found.head != head


def test_lines_in_another_order_taken_out_or_doubled_are_seen():
    data, _ = chain(*THREE)
    one, two, three = data.splitlines(keepends=True)
    for lines in ([two, one, three], [one, three], [two, three], [one, one, two, three], [one, two, two, three]):
        assert read_chain(b"".join(lines)).broken


def test_a_cut_tail_is_told_by_the_last_hash_alone():
    data, head = chain(*THREE)
    found = read_chain(b"".join(data.splitlines(keepends=True)[:2]))
    assert (found.broken, found.torn) == ("", None)
    assert found.head != head


def test_the_line_that_was_changed_is_named():
    data, _ = chain(*THREE)
    assert read_chain(data.replace(b"1.5", b"2.5")).broken == "line 2 was changed: its content does not match its hash"


def test_json_that_means_the_same_is_another_line():
    data, _ = chain(*THREE)
    one, two, three = data.splitlines(keepends=True)
    spaced = json.dumps(json.loads(two), sort_keys=True).encode() + b"\n"
    doubled = b'{"n":1.5,' + two[1:]
    for other in (spaced, doubled, two.replace(b"1.5", b"1.50")):
        assert read_chain(one + other + three).broken


def test_every_cut_of_the_last_line_is_torn_and_nothing_before_it_is_lost():
    data, _ = chain(*THREE)
    start = data.rindex(b"\n", 0, -1) + 1
    for end in range(start + 1, len(data)):
        found = read_chain(data[:end])
        assert found.broken == ""
        whole = end == len(data) - 1  # only the end of the line is missing
        assert (len(found.entries), found.torn) == ((3, b"") if whole else (2, data[start:end]))


def healed(data):
    """The log, closed as a run closes it."""
    found = read_chain(data)
    content = {"event": HEALED, "torn_sha256": sha256(found.torn).hexdigest()}
    line, _ = seal(content, len(found.entries), found.head)
    return data + b"\n" + line


def test_a_torn_line_is_passed_over_where_the_next_entry_tells_of_it():
    data, _ = chain(*THREE)
    for cut in (1, 2, 30):
        mended = healed(data[:-cut])
        found = read_chain(mended)
        assert (found.broken, found.torn, found.entries[-1]["event"]) == ("", None, HEALED)
        line, head = seal({"event": "result"}, len(found.entries), found.head)
        assert read_chain(mended + line).head == head


def test_a_torn_heal_can_be_healed():
    data, _ = chain(*THREE)
    mended = healed(data[:-30])
    first = mended.index(b"\n", len(data) - 30) + 1
    for end in range(first + 1, len(mended) - 1):
        again = healed(mended[:end])
        assert (read_chain(again).broken, read_chain(again).torn) == ("", None)


def test_every_changed_byte_of_a_healed_log_is_seen():
    data, _ = chain(*THREE)
    mended = healed(data[:-30])
    line, _ = seal({"event": "result"}, len(read_chain(mended).entries), read_chain(mended).head)
    mended += line
    for place in range(len(mended)):
        for value in (mended[place] ^ 1, mended[place] ^ 128, 10):
            if value != mended[place]:
                found = read_chain(mended[:place] + bytes([value]) + mended[place + 1 :])
                assert found.broken or found.torn is not None, place


LONG = [{"event": "log"}, *({"decision": "undecided", "event": "result", "n": [n, {"z": -1.5e-7}]} for n in range(20))]


@pytest.mark.parametrize("first", [3, 10, 20])
def test_a_tail_that_was_changed_is_never_taken_for_a_torn_line(first):
    data, _ = chain(*LONG)
    lines = data.split(b"\n")[:-1]
    changed = [line.replace(b"undecided", b"undecIded") for line in lines[first:]]
    for end in (b"", b"x", b"\0", b" ", b"}"):
        found = read_chain(b"\n".join([*lines[:first], *changed]) + end)
        assert found.torn is None
        assert found.broken.startswith(f"line {first + 1} ")


@pytest.mark.parametrize(
    "tail",
    [
        b"hello\n" * 100 + b"x",
        b"x",
        b"{x",
        b'{"entry":3,"event":"log"}x',
        b'{"entry":4,"event":"re',  # another number
        b'{"entry":3,"previous":"0","s',  # another line before
        b'{"entry": 3,"event":"re',  # not as it is written
        b'{"z":1,"entry":3,"s',
        b'{1:2,"s',
        b'{"entry":3,"event":"res\n{"entry":3,"event":"result","f',  # what follows a torn line closes it
        b'{"entry":3,"event":"res\n{"entry":3,"event":"healed","torn_sha256":"0","x',
        b'{"entry":3,"event":"res\xff',
    ],
)
def test_what_no_write_can_have_left_is_not_torn(tail):
    data, _ = chain(*THREE)
    found = read_chain(data + tail)
    assert found.torn is None
    assert found.broken.startswith("line 4 ")


def test_zeros_in_place_of_the_end_are_torn():
    data, _ = chain(*LONG)
    start = data.rindex(b"\n", 0, -1) + 1
    for cut in (start, start + 1, start + 40):
        tail = data[start:cut].ljust(200, b"\0")
        assert read_chain(data[:start] + tail).torn == tail
        assert read_chain(healed(data[:start] + tail)).broken == ""


def test_the_first_line_torn_is_closed_by_the_first_entry():
    data, _ = chain(*THREE)
    first = data.index(b"\n")
    for cut in range(1, first):
        closing, _ = seal({"event": "log", "torn_sha256": sha256(data[:cut]).hexdigest()}, 0, START)
        found = read_chain(data[:cut] + b"\n" + closing)
        assert (found.broken, found.torn, len(found.entries)) == ("", None, 1)


def test_every_cut_of_a_closing_line_is_torn_again_as_often_as_it_happens():
    data, _ = chain(*LONG)
    for cut in (1, 2, 30):
        log = data[:-cut]
        for _ in range(3):
            log += b"\n" + healed(log)[len(log) + 1 :][:60]
            assert read_chain(log).broken == ""
        assert read_chain(healed(log)).entries[-1]["event"] == HEALED


@pytest.mark.parametrize("line", [b"null", b"[]", b"{}", b'"text"', b"\xff", b"[" * 100_000, b'{"a":NaN}', b""])
def test_what_is_no_entry_breaks_the_chain(line):
    data, _ = chain(*THREE)
    assert read_chain(line + b"\n" + data).broken
    assert read_chain(data + line + b"\n").broken


def test_numbers_that_json_does_not_have_are_refused():
    with pytest.raises(ValueError, match="JSON"):
        canonical({"logit": float("nan")})
