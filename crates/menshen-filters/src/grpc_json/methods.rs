//! The methods of services, found by method and path of HTTP.

use std::sync::Arc;

use prost_reflect::{DescriptorPool, MethodDescriptor};

use super::Unannotated;
use super::rules::{Binding, Rpc, bindings};

/// All bindings, in the order in which they are tried.
pub(super) struct Methods(Box<[Arc<Binding>]>);

/// What a request is for.
pub(super) enum Found {
    /// This method, with the values of the path's variables.
    Method(Arc<Binding>, Vec<Box<str>>),
    /// A path of methods that are called with these methods of HTTP.
    WrongMethod(String),
    /// Nothing.
    Nothing,
}

impl Methods {
    /// The bindings of these services. Problems are told to `report`.
    pub(super) fn of(
        pool: &DescriptorPool,
        services: &[String],
        unannotated: Unannotated,
        mut report: impl FnMut(String),
    ) -> Self {
        let mut list: Vec<Arc<Binding>> = Vec::new();
        let is_chosen = |name: &str| services.is_empty() || services.iter().any(|s| s == name);
        for service in pool.services().filter(|s| is_chosen(s.full_name())) {
            for method in service.methods() {
                match of_method(&method, pool, unannotated) {
                    Ok(found) => list.extend(found.into_iter().map(Arc::new)),
                    Err(why) => report(format!("{}: {why}", method.full_name())),
                }
            }
        }
        list.sort_by(|a, b| {
            a.template.precedence(&b.template).then((&*a.method == "*").cmp(&(&*b.method == "*")))
        });
        for (i, binding) in list.iter().enumerate() {
            let is_same = |other: &&Arc<Binding>| {
                other.method == binding.method && other.template.is_same_pattern(&binding.template)
            };
            if let Some(other) = list.iter().take(i).find(is_same) {
                report(format!("{} and {} have the same method and path", other.rpc.path, binding.rpc.path));
            }
        }
        Self(list.into())
    }

    /// True when nothing can be called.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What is asked for by this method of HTTP at this path without query.
    pub(super) fn find(&self, method: &[u8], path: &[u8]) -> Found {
        let mut allowed = String::new();
        for binding in &self.0 {
            let Some(values) = binding.template.matches(path) else { continue };
            if &*binding.method == "*" || binding.method.as_bytes() == method {
                let values = values.into_iter().map(|v| v.into_owned().into()).collect();
                return Found::Method(binding.clone(), values);
            }
            if !allowed.split(", ").any(|known| known == &*binding.method) {
                allowed.push_str(if allowed.is_empty() { "" } else { ", " });
                allowed.push_str(&binding.method);
            }
        }
        if allowed.is_empty() { Found::Nothing } else { Found::WrongMethod(allowed) }
    }
}

fn of_method(
    method: &MethodDescriptor,
    pool: &DescriptorPool,
    unannotated: Unannotated,
) -> Result<Vec<Binding>, String> {
    let found = bindings(method, pool)?;
    Ok(match unannotated {
        Unannotated::ByName if found.is_empty() => vec![Binding::by_name(Rpc::of(method))],
        _ => found,
    })
}
