"""Values that everything else is made of: ids, digests, commitments, codec, manifests."""
