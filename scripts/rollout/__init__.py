"""Decides a canary rollout by evidence: the library under scripts/canary.py.

The decision, pure (no clock, files or network), from the numbers outwards:
    arrays, mixture, evidence, ceiling, drift, dispersion, interval   e-values
    judge      all evidence of a rollout, many rollouts at once
    values, metric, window, steering, policy, lint                    the policy file
    actions, state, measure, plan, look, asked, watch, phases, machine
                                                                      what to do next
    pairs      the same texts asked of both arms, and true labels
    explain, say, show, screen, records, manifest                     numbers and words
    report     one page of a rollout, from what lies in page/
    counters, series                                   from metrics pages to counts
    chain, codec, replay, ahead                        the journal, and deciding again
The shell around it:
    ports      what the loop needs; runner is the loop, observe sees, acts does
    local; kserve, gateway, standard (kube, pods, httproute)   adapters of traffic,
    scrape, prometheus; journal, configmap (lease), events     all joined by wiring
    audit      who else hears what a journal is told: events, notify, the report
    hooks, paired      asked beside the loop: another's word; both arms the same texts
    forecast, verbs                                    what the command line does
"""
