"""What moves it: the application, `mainstem` on the command line."""

__version__ = "0.1.0"
