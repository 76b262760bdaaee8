"""Medication → no record: its code and ingredients are kept for the orders that name it, and nothing else."""

from transforms.rules import Kept, kept_medication

RESOURCE = Kept(source="Medication", keep=kept_medication)
