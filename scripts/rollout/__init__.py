"""Decides a canary rollout by evidence: the library under scripts/canary.py.

The decision, pure (no clock, files or network), from the numbers outwards:
    arrays, mixture, evidence, ceiling, drift, dispersion, interval   e-values
    judge      all evidence of a rollout, many rollouts at once
    values, policy, lint                                              the policy file
    state, measure, plan, look, asked, watch, phases, machine         what to do next
    explain, say, show, screen, records, manifest                     numbers and words
    counters, series                                   from metrics pages to counts
    chain, codec, replay, ahead                        the journal, and deciding again
The shell around it:
    ports      what the loop needs; runner is the loop, acts what it does
    local; kserve, gateway, standard (kube, pods, httproute)   adapters of traffic,
    scrape, prometheus; journal, configmap (lease), events     all joined by wiring
    audit      who else hears what a journal is told: events, notify
    forecast, verbs                                    what the command line does
"""
