# Sourced by scripts/test and scripts/rasa-versions: starts the three servers that the tests with a
# real Rasa need, and runs these tests. HANDOFF_RASA_VERSION chooses the release, as in
# scripts/rasa.

RASA_TOKEN=a-secret-of-the-tests
RASA_JWT_SECRET=another-secret-of-the-tests-long-enough-for-hs256

start_rasa_instances() {
    # Servers of an earlier run that was killed may have other sources.
    stop_rasa_instances
    scripts/rasa train &&
        scripts/rasa start --name test &&
        scripts/rasa start --name test-no-api --no-api &&
        scripts/rasa start --name test-token --sql --token "$RASA_TOKEN" --jwt-secret "$RASA_JWT_SECRET"
}

stop_rasa_instances() {
    local name
    for name in test test-no-api test-token; do scripts/rasa stop --name "$name"; done
}

test_with_rasa() {
    HANDOFF_RASA_URL=$(scripts/rasa url --name test) || return
    HANDOFF_RASA_NO_API_URL=$(scripts/rasa url --name test-no-api) || return
    HANDOFF_RASA_TOKEN_URL=$(scripts/rasa url --name test-token) || return
    export HANDOFF_RASA_URL HANDOFF_RASA_NO_API_URL HANDOFF_RASA_TOKEN_URL
    export HANDOFF_RASA_TOKEN=$RASA_TOKEN HANDOFF_RASA_JWT_SECRET=$RASA_JWT_SECRET
    cargo test --locked --test it -- --ignored rasa || return
    [ ! -d tests/browser/node_modules ] || HANDOFF=target/debug/handoff node --test tests/browser/rasa.test.mjs
}
