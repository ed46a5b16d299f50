"""Live traffic against a deployed service, a history of every call, and a check of that history.

items     what is in the items: a label and a key determine every attribute, of every type
service   which table the deployed function names, and its role
caller    one call of the API, written to the history with what the client knows afterwards
client    a thread that puts, overwrites, deletes, creates, counts and reads, and tries again when it is refused
traffic   all clients together: start, pause, stop

history   the lines
check     the verdict, from explain (one order for each key), order (reads of one client), periods (one table at a
          time) and refusals (how long); pure, and independent of the program under test
seen      whether a reader of the table's stream saw every change
"""
