"""EncryptMigrate's macro: rewrites a template so that each stack update takes its tables one safe step on.

Pure template rewriting: no call to AWS, no clock, no state. The stage is the only input beside the template.

    stage        what the template gets                                the way back   price
    0 off        nothing, it is returned as it came                    -              none
    1 replicate  twin tables, streams, event source mappings, gates;   stage 0        twin and streams
                 every permission for both tables
    2 populate   the resource that copies and compares                 stage 1        a scan, a write per item
    3 cutover    data references name the twins                        stage 2        writes refused a while
    4 cleanup    everything names the twins alone, the sources go      none           a backup

Read `expand.py` first: it tells the whole pipeline. `references.py` holds the four rules, `places.py` says which
place of a template follows which rule, `companions.py` what is added, `checks.py` what is refused.
"""
