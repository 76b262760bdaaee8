"""What moves it: the application, `mainstem` on the command line."""

from importlib.metadata import version

__version__ = version("mainstem")
