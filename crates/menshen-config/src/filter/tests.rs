use super::*;
use crate::quantity::Duration;
use crate::{FileId, OneOrMany, yaml};

#[derive(Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case", default, deny_unknown_fields)]
struct Cors {
    origins: OneOrMany<String>,
    max_age: Option<Duration>,
}

fn items(text: &str) -> (Vec<FilterItem>, Problems) {
    let mut problems = Problems::new();
    let node = yaml::parse(FileId(0), text, &mut problems).unwrap();
    let items = decode(&node, &Path::from("filters"), &mut problems).unwrap_or_default();
    (items, problems)
}

fn cors(text: &str) -> Result<Cors, String> {
    let (items, mut problems) = items(text);
    let decoded = decode_filter(&items[0], Some("origins"), &mut problems);
    if problems.is_empty() { Ok(decoded.unwrap()) } else { Err(problems.to_string()) }
}

#[test]
fn a_bare_name_has_an_empty_config() {
    assert_eq!(cors("[cors]").unwrap(), Cors::default());
    assert_eq!(cors("[cors: ]").unwrap(), Cors::default());
}

#[test]
fn the_short_form_is_the_long_form() {
    let long = cors("[cors: { origins: [https://a] }]").unwrap();
    assert_eq!(long.origins[0], "https://a");
    assert_eq!(cors("[cors: https://a]").unwrap(), long);
    assert_eq!(cors("[cors: [https://a]]").unwrap(), long);
}

#[test]
fn problems_of_a_config_have_their_place() {
    assert_eq!(
        cors("- cors:\n    origin: https://a\n    max-age: 10\n").unwrap_err(),
        "2:5: error: filters[0].cors: unknown key `origin`; did you mean `origins`?\n\
         3:14: error: filters[0].cors.max-age: a duration needs a unit; write `10s` or `10ms`\n"
    );
}

#[test]
fn a_filter_without_short_form_wants_a_map() {
    let (items, mut problems) = items("[cors: 5]");
    assert_eq!(decode_filter::<Cors>(&items[0], None, &mut problems), None);
    assert_eq!(problems.to_string(), "1:8: error: filters[0].cors: expected a map, found the number 5\n");
}

#[test]
fn every_item_takes_the_reserved_keys() {
    let (items, problems) = items(
        "- { cors: https://a, when: GET /users/**, on-error: continue, mode: shadow, id: edge }\n- log-it\n",
    );
    assert_eq!(problems.to_string(), "");
    let item = &items[0];
    assert_eq!(
        (item.name.as_str(), item.on_error, item.mode, item.id.as_deref()),
        ("cors", OnError::Continue, Mode::Shadow, Some("edge"))
    );
    assert_eq!(item.when.as_ref().unwrap().path[0].as_str(), "/users/**");
    assert_eq!((items[1].name.as_str(), items[1].mode), ("log-it", Mode::Enforce));
}

#[test]
fn a_group_has_members() {
    let (items, problems) = items("- any: [api-key, jwt: https://id]\n  when: { method: GET }\n");
    assert_eq!(problems.to_string(), "");
    let members = items[0].any.as_ref().unwrap();
    assert_eq!(members.iter().map(|item| item.name.as_str()).collect::<Vec<_>>(), ["api-key", "jwt"]);
    assert_eq!(members[1].path.as_str(), "filters[0].any[1]");
}

#[test]
fn two_filters_in_one_item_are_refused() {
    let (_, problems) = items("- cors: https://a\n  rate-limit: 5/s\n  mode: shadwo\n");
    assert_eq!(
        problems.to_string(),
        "2:15: error: filters[0].rate-limit: both `cors` and `rate-limit` in one item; write each filter as a list \
         item of its own, starting with `- `\n\
         3:9: error: filters[0].mode: `shadwo` is not known here; did you mean `shadow`?\n"
    );
}

#[test]
fn an_item_without_a_name_is_refused() {
    let (_, problems) = items("- mode: shadow\n- any\n- 5\n");
    assert_eq!(
        problems.to_string(),
        "1:3: error: filters[0]: an item without a filter; write its name, as in `cors` or `cors: …`\n\
         2:3: error: filters[1]: `any` needs a list of filters; write `any: [first, second]`\n\
         3:3: error: filters[2]: expected the name of a filter, or a map of its name and its config, found the number 5\n"
    );
}
