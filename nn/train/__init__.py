"""What `train.py` does: ``config``, ``trainer``, ``checkpoint``, ``artifacts``, ``recipes``."""
