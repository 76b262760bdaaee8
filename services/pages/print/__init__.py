"""Paper: the monthly site report and the pre-visit plan as PDF, set by typst from plain texts, numbers and pictures.

A kind of paper is a template `<name>.typ` and what fills it; `setting` sets it, `growth` draws curves. Nothing is fetched.
"""
