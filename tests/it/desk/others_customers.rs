//! What an agent's terminal shows of the customers of other agents, and what it leaves out.

use serde_json::Value;

use crate::support::setup::Setup;

use super::team::has;

#[test]
fn small_things_in_another_agents_conversation_appear_only_where_it_is_watched() {
    let setup = Setup::new();
    let mut desk = setup.desk_in_a_window(150, &[]);
    let mut kim = setup.agent_at_a_terminal("kim", 150);
    let mut robin = setup.agent("robin", &[]);
    let mut al = setup.agent("al", &[]);
    let _cleo = setup.queued("Cleo");
    robin.say("/accept 1");
    robin.until(has("robin"));
    kim.sees("robin has #1 Cleo");
    desk.sees("robin has #1 Cleo");
    desk.press("/watch 1\r");
    desk.sees("you watch #1 Cleo");
    robin.say("/tag refund\n/hold\n/resume\n/close");
    for text in ["tags of #1 Cleo: refund", "robin has #1 Cleo, who is on hold", "#1 Cleo: closed"]
    {
        desk.sees(text);
    }
    let is_tag = |event: &Value| event["event"] == "tags" && event["tags"][0] == "refund";
    al.until(is_tag);
    al.until(|event| event["on_hold"] == true);
    al.until(|event| event["on_hold"] == false);
    al.until_state("closed");
    assert_eq!(al.events().iter().filter(|event| is_tag(event)).count(), 1);
    robin.say("/away at lunch");
    kim.sees("robin is away: at lunch");
    let seen = [kim.scrollback(), kim.rows()].concat().join("\n");
    for small in ["refund", "on hold", "closed"] {
        assert!(!seen.contains(small), "'{small}' is on the screen:\n{seen}");
    }
    // An agent reads what comes of their own command in a conversation that they do not see.
    let _dan = setup.queued("Dan");
    robin.say("/here\n/accept 2");
    kim.sees("robin has #2 Dan");
    kim.press("/tag #2 vip\r");
    kim.sees("tags of #2 Dan: vip");
}
