//! The customers of a gateway that keeps nothing on the disk.

use std::collections::HashMap;

use crate::core::customer::{About, CustomerId, PostId, Posted, TokenHash};
use crate::wire::{ConversationId, IdMap, Millis};

#[derive(Default)]
pub(in crate::edge::journal) struct Customers {
    named: IdMap<TokenHash, CustomerId>,
    having: IdMap<ConversationId, CustomerId>,
    customers: IdMap<CustomerId, Customer>,
    identified: HashMap<Box<str>, CustomerId>,
}

/// One customer. Most customers have one conversation and a few requests, so lists take less memory
/// than tables.
#[derive(Default)]
struct Customer {
    /// The conversations. The present one is the last.
    conversations: Vec<ConversationId>,
    posts: Vec<(PostId, Posted)>,
    joins: u32,
    identity: Option<Box<str>>,
    agreed: Option<Millis>,
    about: About,
}

impl Customers {
    pub(super) fn have(&mut self, customer: CustomerId, id: ConversationId) {
        self.having.insert(id, customer);
        self.customers.entry(customer).or_default().conversations.push(id);
    }

    pub(super) fn name(&mut self, hash: TokenHash, id: ConversationId) {
        if let Some(customer) = self.having.get(&id) {
            self.named.insert(hash, *customer);
        }
    }

    pub(super) fn withdraw(&mut self, hash: TokenHash) {
        self.named.remove(&hash);
    }

    pub(super) fn identify(&mut self, identity: Box<str>, id: ConversationId) {
        let Some(customer) = self.having.get(&id) else { return };
        if let Some(kept) = self.customers.get_mut(customer) {
            kept.identity = Some(identity.clone());
            self.identified.insert(identity, *customer);
        }
    }

    pub(super) fn agree(&mut self, at: Millis, id: ConversationId) {
        self.having(id).into_iter().for_each(|kept| _ = kept.agreed.get_or_insert(at));
    }

    pub(super) fn describe(&mut self, about: About, id: ConversationId) {
        if let Some(kept) = self.having(id) {
            kept.about.update(about);
        }
    }

    fn having(&mut self, id: ConversationId) -> Option<&mut Customer> {
        self.customers.get_mut(self.having.get(&id)?)
    }

    /// Gives all that one customer has to another. Then `present` is that customer's last
    /// conversation.
    pub(super) fn join(
        &mut self,
        former: CustomerId,
        customer: CustomerId,
        present: ConversationId,
    ) {
        let Some(from) = self.customers.remove(&former) else { return };
        for id in &from.conversations {
            self.having.insert(*id, customer);
        }
        self.named.values_mut().filter(|of| **of == former).for_each(|of| *of = customer);
        let into = self.customers.entry(customer).or_default();
        into.conversations.extend(from.conversations);
        into.conversations.retain(|id| *id != present);
        into.conversations.push(present);
        // If both have a request with the same id, that of `into` counts, because it is found
        // first.
        into.posts.splice(0..0, from.posts);
        into.joins += 1 + from.joins;
        into.agreed = into.agreed.or(from.agreed);
        let own = std::mem::replace(&mut into.about, from.about);
        into.about.update(own);
    }

    pub(super) fn post(&mut self, id: ConversationId, post: PostId, posted: Posted) {
        if let Some(kept) = self.having(id) {
            kept.posts.push((post, posted));
        }
    }

    pub(super) fn forget(&mut self, id: ConversationId) {
        let Some(customer) = self.having.remove(&id) else { return };
        let Some(kept) = self.customers.get_mut(&customer) else { return };
        kept.conversations.retain(|of| *of != id);
        kept.posts.retain(|(_, posted)| posted.conversation != id);
        if kept.conversations.is_empty() {
            let identity = self.customers.remove(&customer).and_then(|kept| kept.identity);
            identity.map(|identity| self.identified.remove(&identity));
            self.named.retain(|_, named| *named != customer);
        }
    }

    pub(in crate::edge::journal) fn named_by(&self, hash: TokenHash) -> Option<CustomerId> {
        self.named.get(&hash).copied()
    }

    pub(in crate::edge::journal) fn customer_of(&self, id: ConversationId) -> Option<CustomerId> {
        self.having.get(&id).copied()
    }

    pub(super) fn conversations_of(&self, customer: CustomerId) -> &[ConversationId] {
        self.customers.get(&customer).map_or(&[], |kept| &kept.conversations)
    }

    pub(super) fn joins(&self, customer: CustomerId) -> u32 {
        self.customers.get(&customer).map_or(0, |kept| kept.joins)
    }

    pub(super) fn agreed(&self, customer: CustomerId) -> Option<Millis> {
        self.customers.get(&customer)?.agreed
    }

    pub(super) fn about(&self, customer: CustomerId) -> About {
        self.customers.get(&customer).map(|kept| kept.about.clone()).unwrap_or_default()
    }

    pub(in crate::edge::journal) fn identified(&self, identity: &str) -> Option<CustomerId> {
        self.identified.get(identity).copied()
    }

    pub(in crate::edge::journal) fn identity_of(&self, customer: CustomerId) -> Option<Box<str>> {
        self.customers.get(&customer)?.identity.clone()
    }

    pub(in crate::edge::journal) fn has_posted(&self, customer: CustomerId) -> bool {
        self.customers.get(&customer).is_some_and(|kept| !kept.posts.is_empty())
    }

    pub(in crate::edge::journal) fn posted(
        &self,
        customer: CustomerId,
        post: &PostId,
    ) -> Option<Posted> {
        let posts = &self.customers.get(&customer)?.posts;
        posts.iter().rev().find(|(id, _)| id == post).map(|(_, posted)| *posted)
    }
}
