"""Is a log fit to train on, and what would clean it?"""
