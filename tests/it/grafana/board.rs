//! A dashboard as it is shipped: its panels, and everything in it that asks Prometheus.

use serde_json::Value;
use std::path::PathBuf;

/// The folder that Grafana is given.
pub fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("grafana")
}

/// One dashboard.
pub struct Board {
    /// Its file's name.
    pub file: String,
    /// The file.
    pub json: Value,
}

/// One question to Prometheus.
pub struct Query {
    /// Where it is asked.
    pub place: String,
    /// The expression, with Grafana's variables in it.
    pub expression: String,
    /// What its series are called, with their labels in it.
    pub legend: String,
}

/// Every dashboard, by name.
pub fn boards() -> Vec<Board> {
    let files = std::fs::read_dir(folder().join("dashboards")).unwrap();
    let mut boards: Vec<Board> = files
        .map(|file| file.unwrap().path())
        .map(|path| Board {
            file: path.file_name().unwrap().to_str().unwrap().to_owned(),
            json: serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap(),
        })
        .collect();
    boards.sort_by(|one, other| one.file.cmp(&other.file));
    boards
}

impl Board {
    /// Its identifier, which its links and its address are made of.
    pub fn uid(&self) -> &str {
        self.json["uid"].as_str().unwrap()
    }

    /// Its panels, rows among them.
    pub fn panels(&self) -> &[Value] {
        self.json["panels"].as_array().unwrap()
    }

    /// Its variables.
    pub fn variables(&self) -> &[Value] {
        self.json["templating"]["list"].as_array().unwrap()
    }

    /// Its annotations, but for Grafana's own.
    pub fn annotations(&self) -> impl Iterator<Item = &Value> {
        let all = self.json["annotations"]["list"].as_array().unwrap().iter();
        all.filter(|annotation| annotation["builtIn"].is_null())
    }

    /// Everything that it asks: panels, annotations and variables.
    pub fn queries(&self) -> Vec<Query> {
        let mut queries = Vec::new();
        let mut add = |what: &str, expression: &Value, legend: &Value| {
            queries.push(Query {
                legend: legend.as_str().unwrap_or_default().to_owned(),
                place: format!("{}: {what}", self.file),
                expression: expression.as_str().unwrap().to_owned(),
            });
        };
        for panel in self.panels() {
            for target in panel["targets"].as_array().into_iter().flatten() {
                let title = panel["title"].as_str().unwrap();
                let reference = target["refId"].as_str().unwrap();
                add(
                    &format!("{title} ({reference})"),
                    &target["expr"],
                    &target["legendFormat"],
                );
            }
        }
        for annotation in self.annotations() {
            add(
                annotation["name"].as_str().unwrap(),
                &annotation["expr"],
                &annotation["textFormat"],
            );
        }
        for variable in self.variables() {
            if variable["type"] == "query" {
                let asked = variable["query"]["query"].as_str().unwrap();
                let (selector, _) = label_values(asked);
                let name = variable["name"].as_str().unwrap();
                add(&format!("${name}"), &Value::from(selector), &Value::Null);
            }
        }
        queries
    }

    /// Every link of the dashboard and of its panels that leads somewhere.
    pub fn links(&self) -> Vec<String> {
        let own = self.json["links"].as_array().unwrap().iter();
        let of_panels = self.panels().iter().flat_map(|panel| {
            let links = panel["links"].as_array();
            links.into_iter().flatten()
        });
        own.chain(of_panels)
            .map(|link| link["url"].as_str().unwrap().to_owned())
            .filter(|url| !url.is_empty())
            .collect()
    }
}

/// The selector and the label of `label_values(selector, label)`.
pub fn label_values(asked: &str) -> (&str, &str) {
    let inner = asked.strip_prefix("label_values(").unwrap();
    let inner = inner.strip_suffix(')').unwrap();
    let (selector, label) = inner.rsplit_once(", ").unwrap();
    (selector, label)
}

/// The expression as Grafana sends it for everything, over a time that a test lives through.
pub fn filled_in(expression: &str) -> String {
    let mut filled = expression.to_owned();
    for (variable, value) in [
        ("$__rate_interval", "1m"),
        ("$__range", "5m"),
        ("$instance", ".*"),
        ("$wallet_type", ".*"),
    ] {
        filled = filled.replace(variable, value);
    }
    assert!(
        !filled.contains('$'),
        "a variable that there is not: {filled}"
    );
    filled
}
