"""The page's looks: one small file, served from memory."""

from pathlib import Path

STYLE = (Path(__file__).parent / "static" / "home.css").read_bytes()
