"""Every limit of the server in one place; docs/serving.md says what exceeds them.

They fit the manifests' 512 Mi: some 240 are the process, and what is held for callers
(bodies, unread answers, texts that wait) stays below 150.
"""

MIB = 1024 * 1024

MAX_BODY = 4 * MIB
MAX_HEAD = 64 * 1024
MAX_HEADERS = 200
SHORT_BODY = 64 * 1024  # what a connection may hold without asking

HELD_BYTES = 48 * MIB  # bodies beyond SHORT_BODY, and answers that are not read
HELD_SHORT = 32 * MIB  # heads and short bodies that are not complete
PIPELINED_BYTES = 4096  # what a request costs that waits behind another

# gRPC's messages have no length before they are here: each may be MAX_BODY.
READ_AT_ONCE, READ_IN_TURN = 4, 4
HELD_MESSAGES = 8 * MIB  # of long ones, until they are answered
WAITING_CALLS = 1024  # whose messages are not read yet; gRPC holds WINDOW of each
WINDOW = 32 * 1024

FIRST_S = 30.0  # until a new connection asks
HEAD_S = 10.0  # from a head's first byte to its last
BODY_S = 30.0  # from a head's end to its body's
UNREAD_S = 30.0  # until an answer is read

SWITCH_S = 0.001  # until the event loop interrupts long work
QUEUED_S = 2.0  # of work for the model that may wait
RETRY_S = 1  # what a refused caller is told to wait
ENDING_S = 2.0  # for each of these once the server ends

GRACE_S = 8.0  # after SIGTERM, for those who still ask
QUIET_S = 0.5  # without a request, that ends the grace sooner
LAST_S = 8  # then for what is being answered: with preStop's 5, below the pod's 30
TOLD_S = 3  # of these, for the others: they are told to ask again, and then cut
