"""Streams over WebRTC: published to us (WHIP) or fetched (WHEP).

aiortc does ICE, DTLS, SRTP, retransmission and feedback; pictures are put together and decoded here, where every
loss is seen. Imported only by workers that have such a stream.
"""
