"""What the programs are compared with, one file each.

A peer offers ``build(work, params, inputs) -> Task``.  It may keep the weights in whatever form
its users would; bringing them there, and the gradients back, is not timed.
"""

from benchmarks.peers.task import Task

__all__ = ["Task"]
