//! Names that the pages have to mention.

use std::fs;

use menshen_proxy::access_log::MEMBERS;
use menshen_proxy::template::Fact;

use crate::support::root;

#[test]
fn the_documents_name_every_member_of_a_log_line_and_every_fact_of_templates() {
    let operations = fs::read_to_string(root().join("docs/operations.md")).unwrap();
    for member in MEMBERS {
        assert!(
            operations.contains(&format!("`{member}`")),
            "docs/operations.md does not mention the member `{member}`"
        );
    }
    let config = fs::read_to_string(root().join("docs/config.md")).unwrap();
    for (fact, _) in Fact::NAMES {
        assert!(config.contains(&format!("`{{{fact}}}`")), "docs/config.md does not mention `{{{fact}}}`");
    }
}
