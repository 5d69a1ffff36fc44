"""What a model can do on documents that were kept apart; each table with n and an interval."""
