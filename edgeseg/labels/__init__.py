"""Labels of data sets: read, check, convert and write them.

Every format is read into `LabelPicture`s and written from them (types.py);
docs/LABELS.md says what each format means here.
"""
