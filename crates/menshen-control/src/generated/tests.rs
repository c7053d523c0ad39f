//! Tests of routes that are made of lists.

use menshen_config::document::Target;
use menshen_config::{Source, parse};

use super::*;

/// What this document makes of a list of Eureka: a line for each route, and one for each service without.
fn made(routes: &str, rest: &str, list: &[&str]) -> Vec<String> {
    let text = format!(
        "registries: {{ eureka: {{ servers: 'http://a:1/', register: {{ app: GATEWAY }}, routes: {routes} }} }}\n{rest}"
    );
    let (document, problems) = parse(&[Source::new("test", text)]);
    assert_eq!(problems.to_string(), "");
    let names = list.iter().map(|name| Box::from(*name)).collect();
    let mut problems = Problems::new();
    let (all, generated) = expand(&document, &[(Registry::Eureka, names)].into(), &mut problems);
    if problems.has_errors() {
        return problems.iter().map(ToString::to_string).collect();
    }
    let routes =
        all.routes.iter().filter(|(name, _)| !document.routes.declares(name)).map(|(name, route)| {
            let path = route.matches.path.iter().map(|p| p.value.as_str()).collect::<String>();
            let Target::Service(to) = &route.to.value else { panic!("{name} leads to no service") };
            let strip = route.strip.as_ref().map_or("", |strip| &strip.value.0);
            format!("{name} {path} {strip} {to}")
        });
    routes.chain(generated.left_out.iter().map(|LeftOut { name, why }| format!("{name}: {why}"))).collect()
}

#[test]
fn each_service_gets_a_route_by_its_name_in_lower_case() {
    assert_eq!(
        made("{}", "", &["ORDERS", "USER-SERVICE"]),
        [
            "eureka:orders /orders/** /orders eureka:orders",
            "eureka:user-service /user-service/** /user-service eureka:user-service",
        ]
    );
    assert_eq!(made("{ strip: off }", "", &["ORDERS"]), ["eureka:orders /orders/**  eureka:orders"]);
}

#[test]
fn services_can_be_chosen_by_their_names() {
    let list = ["INTERNAL-A", "ORDER-SERVICE", "USER-SERVICE", "WEB", "GATEWAY"];
    let names = |routes: &str| -> Vec<String> {
        made(routes, "", &list).iter().filter_map(|line| Some(line.split_once(' ')?.0.to_owned())).collect()
    };
    assert_eq!(names("{ only: '*-service' }"), ["eureka:order-service", "eureka:user-service"]);
    assert_eq!(names("{ ignore: [internal-*, Web] }"), ["eureka:order-service", "eureka:user-service"]);
    assert_eq!(names("{ ignore: '*' }"), [""; 0]);
    assert!(!names("{}").contains(&"eureka:gateway".to_owned()), "the gateway leads not to itself");
}

#[test]
fn a_pattern_makes_a_path_of_the_parts_of_a_name() {
    let routes = r"{ name: '(?<name>.+)-(?<version>v\d+)', path: '/${version}/${name}/**' }";
    assert_eq!(
        made(routes, "", &["USERS-V1", "WEB"]),
        ["eureka:users-v1 /v1/users/** /v1/users eureka:users-v1", "eureka:web /web/** /web eureka:web"]
    );
    assert_eq!(
        made("{ name: '(?<team>[a-z]+-)?(?<name>.+)', path: '/${team}/${name}/**' }", "", &["WEB"]),
        ["eureka:web /web/** /web eureka:web"],
        "a part that is missing leaves no empty segment"
    );
}

#[test]
fn routes_that_are_written_win() {
    let written = "
services: { users: { discover: 'eureka:USERS' }, other: 'http://127.0.0.1:1' }
routes:
  own: { match: '/users/**', to: other }
  get: { match: 'GET /orders/**', to: other }
  named: { match: { path: '/web/**', host: a.test }, to: other }
  deeper: { match: '/shop/{id}', to: other }
";
    assert_eq!(
        made("{}", written, &["ORDERS", "SHOP", "USERS", "WEB"]),
        [
            "eureka:orders /orders/** /orders eureka:orders",
            "eureka:shop /shop/** /shop eureka:shop",
            "eureka:web /web/** /web eureka:web",
            "eureka:users: route `own` has the same path `/users/**`",
        ]
    );
}

#[test]
fn a_service_that_is_written_and_asks_for_the_same_is_used() {
    let written = "services: { users: { discover: 'eureka:user-service', timeouts: { total: 1s } } }";
    assert_eq!(
        made("{}", written, &["USER-SERVICE"]),
        ["eureka:user-service /user-service/** /user-service users"]
    );
}

#[test]
fn two_services_with_one_path_cannot_both_have_it() {
    let routes = "{ name: '(?<name>.+)-.*', path: '/${name}/**' }";
    assert_eq!(
        made(routes, "", &["A-1", "A-2"]),
        ["eureka:a-1 /a/** /a eureka:a-1", "eureka:a-2: route `eureka:a-1` has the same path `/a/**`"]
    );
}

#[test]
fn names_that_could_be_read_in_another_way_get_no_route() {
    let long = "x".repeat(129);
    let list = ["..", "a/b", "a%2Fb", "a b", "{id}", "**", "a?b", "a#b", "A\u{e9}", "", "a;b", &long];
    let made = made("{}", "", &list);
    assert_eq!(made.len(), list.len(), "{made:?}");
    assert!(made.iter().all(|line| line.contains(": its name ")), "{made:?}");
}

#[test]
fn there_are_no_more_routes_than_allowed() {
    let made = made("{ at-most: 2 }", "", &["A", "B", "C"]);
    assert_eq!(made[2], "eureka:c: there are as many as `at-most` allows");
}

#[test]
fn what_cannot_make_paths_is_a_problem() {
    for (routes, problem) in [
        ("{ path: '/all/**' }", "all services would have the same path"),
        ("{ path: '/${name}/**' }", "nothing is called `${name}`; there are `${service}`"),
        ("{ path: '${service}' }", "does not start with `/`"),
        ("{ name: '(' }", "is not a regular expression"),
        ("{ path: '/**/${service}' }", "is not at the end"),
    ] {
        let made = made(routes, "", &["A"]);
        assert!(made.iter().any(|line| line.contains(problem)), "{routes}: {made:?}");
    }
}

proptest::proptest! {
    #[test]
    fn whatever_a_registry_lists_a_path_begins_and_ends_as_it_is_written(name in "\\PC{0,20}") {
        let text = "registries: { eureka: { servers: 'http://a:1/', routes: { path: '/x/${service}/**' } } }";
        let (document, _) = parse(&[Source::new("test", text)]);
        let lists = [(Registry::Eureka, [Box::from(&*name)].into_iter().collect())].into();
        let (all, generated) = expand(&document, &lists, &mut Problems::new());
        proptest::prop_assert_eq!(all.routes.len() + generated.left_out.len(), 1);
        for (_, route) in all.routes.iter() {
            let segments = route.matches.path[0].value.segments();
            proptest::prop_assert_eq!(segments.len(), 3);
        }
    }
}
