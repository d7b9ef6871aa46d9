"""Live chat: the server.

Rings, inner first; imports point inwards only, and the test run proves it:

    clock, ids, settings, db   the ground: no rules, no meaning
    protocol                   frames in, events out; pure
    hub                        moves entries and news; no SQL, no HTML
    outbox                     facts that must have an effect elsewhere
    files                      what people send along
    people                     sites, departments, operators, visitors, sign-in
    conversations              what is said: streams, journal, presenter, cards
    pairing                    who answers whom
    console                    the operators' pages
    sockets                    the two WebSocket endpoints
    public                     the door for widget and escalation
    app, program, cli          put together

`strings`, `assets`, `pages`, `headers`, `csrf`, `links` serve whoever shows pages.
"""
