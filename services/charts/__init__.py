"""Charts: the statistics (`spc`) and the drawing (`control_chart`)."""
