"""The tests. A directory has the name of the room of assembler/ that it is about; these are others:

- ``boot``: real boots in virtual machines. The room ``boot`` has its tests in ``boot_loaders``.
- ``fuzz``: readers of what strangers write, with changed inputs; a short run of each is a test.
- ``package``: the assembler as others get and install it.
- ``proofs``, ``measurements``: programs that scripts/ starts. They take minutes to hours, and pytest leaves them out.
- ``support``: what several of these use.
"""
