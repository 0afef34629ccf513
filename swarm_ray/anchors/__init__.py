"""Anchors: places where a checkpoint is kept that we cannot rewrite."""
