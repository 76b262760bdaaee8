"""What is packed by deflate, either form, comes whole, wherever its end falls among the blocks it is given out in."""

import zlib

import pytest

from connectors.formats.gzip import BLOCK_BYTES, TruncatedGzip, inflated


@pytest.mark.parametrize("bits", [zlib.MAX_WBITS, -zlib.MAX_WBITS], ids=["zlib", "bare"])
def test_all_comes_whose_end_lies_near_a_block_s(bits: int) -> None:
    """The last bytes packed may be taken in while up to 258 are still to be given out."""
    for size in range(BLOCK_BYTES - 10, BLOCK_BYTES + 300):
        content = b"{" + b" " * (size - 1)
        worker = zlib.compressobj(9, zlib.DEFLATED, bits)
        packed = worker.compress(content) + worker.flush()
        assert b"".join(inflated([packed])) == content, size
        with pytest.raises(TruncatedGzip):
            list(inflated([packed[:-3]]))
