"""What a user wants: the typed recipe, its loading and its errors with line and column."""
