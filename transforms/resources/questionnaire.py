"""Questionnaire → no record: the codes of its questions and the scores of its answers are kept for the responses that name it."""

from transforms.rules import Kept, kept_questionnaire, names_of_questionnaire

RESOURCE = Kept(source="Questionnaire", keep=kept_questionnaire, names=names_of_questionnaire)
