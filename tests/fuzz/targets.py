"""Every reader of the product of what strangers write, by name."""

from tests.fuzz import archives, images, texts

TARGETS = {**archives.TARGETS, **texts.TARGETS, **images.TARGETS}
