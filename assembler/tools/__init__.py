"""Programs from locked packages, run through their own loader without being installed."""
