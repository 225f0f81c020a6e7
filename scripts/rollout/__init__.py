"""Decides a canary rollout by evidence: the library under scripts/canary.py.

A folder a role, from what knows nothing to what knows all; imports point down only:
    errors; evidence         statistics on arrays
    policy, state            what is asked for, what is remembered
    metrics, decision, cluster      counters, the next state, one API server
    shadow, traffic          both arms asked the same, and who moves the weight
    loop, integrations, report, journal
    wiring                   the adapters that a policy names, put together
    cli                      the verbs
"""
