"""The vendors' dialects, one file each: what their headers say, where their b-values stand, how their files look."""
