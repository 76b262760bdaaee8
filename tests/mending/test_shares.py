"""Lines that are set down on the disk by their first byte."""

from contextlib import closing
from pathlib import Path
from struct import Struct

from mainstem.mending.shares import BUFFERED, Shares

LINE = Struct(">5s")


def line(share: int, number: int) -> tuple[bytes]:
    return (bytes([share]) + number.to_bytes(4),)


def test_a_share_gives_its_lines_in_their_order_whether_on_the_disk_or_not_yet(tmp_path: Path) -> None:
    """More than a buffer, read in between; a few that never reach the disk; none. Only what is written has a file."""
    many = [line(7, number) for number in range(2 * BUFFERED // LINE.size)]
    with closing(Shares(tmp_path / "shares", LINE)) as shares:
        shares.add(many[:-9])
        assert list(shares.lines(7)) == many[:-9]
        shares.add([*many[-9:], line(8, 1)])
        assert (list(shares.lines(7)), list(shares.lines(8)), list(shares.lines(9))) == (many, [line(8, 1)], [])
        assert [path.name for path in (tmp_path / "shares").iterdir()] == ["07"]
