"""Everything of EncryptMigrate that touches tables: the mirror, the copy, the comparison, the turn and the gate.

A migration is a pair of tables, the *source* and its *twin*, and one record in the state table. The record names the
**owner**: the table that takes the writes of clients. At any moment at most one does, and it is written on the tables
themselves, in their resource policies. What happens to a stream record follows from the owner alone:

    owner    clients write   the source's stream       the twin's stream
    source   the source      mirrored into the twin    skipped: our own echo
    twin     the twin        skipped: our own echo     mirrored into the source

    stage        guarantee when CloudFormation is told SUCCESS                 the way back, and its cost
    1 replicate  every write since is mirrored, in order per key                stage 0: nothing is lost
    2 populate   what was there before is copied and compared, or still going   stage 1: the copy stops
    3 cutover    the twin owns the writes, holding every acknowledged one       stage 2: another turn, no write lost
    4 cleanup    compared once more, backed up; the source may go               none

How the files go together:

    mirror: handlers → mirror → records (plan, pure) → tables (apply)
    population: handlers → population → segments, copy, compare → tables
    gate: handlers → gate → evidence → access (policies)    or an execution of turn or population, which answers
    turn: handlers → turn → stream, access, probes, look; recover and watchdog end what was left unfinished

A turn moves the ownership in eight steps (turn.py) such that a crash, a delay or a repetition anywhere leaves exactly
one table open in the end, with every acknowledged write. Modules that decide are pure; boto3, the environment and the
clock come in at handlers.py and settings.py alone.
"""
