//! Counting outcomes by kind.

use std::cell::RefCell;
use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::wire::Fault;

/// Outcomes of one sort of request: how many answers of each generation, how many failures of each kind.
#[derive(Default)]
pub struct Tally {
    answers: RefCell<BTreeMap<String, u64>>,
    failures: RefCell<BTreeMap<&'static str, u64>>,
    excused: RefCell<BTreeMap<&'static str, u64>>,
}

impl Tally {
    /// Counts a whole and right answer.
    pub fn answered(&self, generation: &str) {
        let mut answers = self.answers.borrow_mut();
        match answers.get_mut(generation) {
            Some(count) => *count += 1,
            None => {
                answers.insert(generation.to_owned(), 1);
            }
        }
    }

    /// Counts a failure.
    pub fn failed(&self, fault: Fault) {
        *self.failures.borrow_mut().entry(fault.name()).or_default() += 1;
    }

    /// Counts what would be a failure, had the request not been sent after the gateway was told to stop.
    pub fn excused(&self, fault: Fault) {
        *self.excused.borrow_mut().entry(fault.name()).or_default() += 1;
    }

    /// All counts.
    pub fn report(&self) -> Value {
        let sum: u64 = self.failures.borrow().values().sum();
        json!({
            "answers": &*self.answers.borrow(),
            "failed": sum,
            "failures": &*self.failures.borrow(),
            "excused": &*self.excused.borrow(),
        })
    }
}
