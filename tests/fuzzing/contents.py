"""Mutations of a file's bytes, without regard to what they mean."""

from pathlib import Path

from fuzzing.case import Case, NotApplicableError

_PIXELS = (b"\xe0\x7f\x10\x00", b"\x7f\xe0\x00\x10")


def header_bytes(content: bytes) -> int:
    """Where the pixel data begins; the length of the file if there is none."""
    places = [at for tag in _PIXELS if (at := content.rfind(tag, 0, len(content))) > 0]
    return min(places, default=len(content))


def _spoil(case: Case, change) -> None:
    path = case.image(least_bytes=1)
    content = bytearray(path.read_bytes())
    case.put(path, bytes(change(content)))
    case.note = path.relative_to(case.folder).as_posix()


def _flip(case: Case, content: bytearray, begin: int, end: int, count: int) -> bytearray:
    if end <= begin:
        raise NotApplicableError
    for _ in range(count):
        content[case.random.randrange(begin, end)] ^= 1 << case.random.randrange(8)
    return content


def flip_a_bit_of_the_header(case: Case) -> None:
    _spoil(case, lambda content: _flip(case, content, 0, header_bytes(content), 1))


def flip_bits_of_the_header(case: Case) -> None:
    _spoil(case, lambda content: _flip(case, content, 0, header_bytes(content), case.random.randint(2, 30)))


def flip_bits_of_many_headers(case: Case) -> None:
    for path in case.random.sample(case.files, min(5, len(case.files))):
        content = bytearray(path.read_bytes())
        if content:
            case.put(path, bytes(_flip(case, content, 0, header_bytes(content), 1)))


def flip_bits_anywhere(case: Case) -> None:
    _spoil(case, lambda content: _flip(case, content, 0, len(content), case.random.randint(1, 100)))


def flip_bits_of_the_pixels(case: Case) -> None:
    _spoil(
        case,
        lambda content: _flip(case, content, header_bytes(content), len(content), case.random.randint(1, 50)),
    )


def overwrite(case: Case) -> None:
    def change(content: bytearray) -> bytearray:
        begin = case.random.randrange(len(content))
        length = min(case.random.choice((1, 2, 4, 16, 100, 5000)), len(content) - begin)
        content[begin : begin + length] = case.random.choice(
            (bytes(length), b"\xff" * length, case.random.randbytes(length), b" " * length, b"\\" * length)
        )
        return content

    _spoil(case, change)


def truncate(case: Case) -> None:
    _spoil(case, lambda content: content[: case.random.randrange(len(content))])


def truncate_in_the_header(case: Case) -> None:
    _spoil(case, lambda content: content[: case.random.randrange(header_bytes(content))])


def truncate_near_the_start(case: Case) -> None:
    _spoil(case, lambda content: content[: case.random.randrange(300)])


def cut_bytes_out(case: Case) -> None:
    def change(content: bytearray) -> bytearray:
        begin = case.random.randrange(len(content))
        del content[begin : begin + case.random.choice((1, 2, 3, 8, 64, 1000))]
        return content

    _spoil(case, change)


def put_bytes_in(case: Case) -> None:
    def change(content: bytearray) -> bytearray:
        begin = case.random.randrange(header_bytes(content) + 1)
        content[begin:begin] = case.random.randbytes(case.random.choice((1, 2, 3, 8, 64, 1000)))
        return content

    _spoil(case, change)


def append_bytes(case: Case) -> None:
    _spoil(case, lambda content: content + case.random.randbytes(case.random.choice((1, 2, 100, 10_000))))


def splice_two_files(case: Case) -> None:
    other = case.image().read_bytes()
    _spoil(case, lambda content: content[: case.random.randrange(len(content))] + other[len(other) // 2 :])


def join_two_files(case: Case) -> None:
    other = case.image().read_bytes()
    _spoil(case, lambda content: content + other)


def random_file(case: Case) -> None:
    path = case.image()
    start = case.random.choice((b"", bytes(128) + b"DICM", b"\x08\x00", b"\x02\x00\x10\x00UI"))
    case.put(path, start + case.random.randbytes(case.random.choice((10, 200, 5000, 200_000))))
    case.note = Path(path).name


KINDS = (
    flip_a_bit_of_the_header, flip_bits_of_the_header, flip_bits_of_many_headers, flip_bits_anywhere,
    flip_bits_of_the_pixels, overwrite, truncate, truncate_in_the_header, truncate_near_the_start, cut_bytes_out,
    put_bytes_in, append_bytes, splice_two_files, join_two_files, random_file,
)  # fmt: skip
