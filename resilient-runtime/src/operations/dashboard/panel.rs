//! Panels, and where they are.

use serde_json::{Value, json};

/// The width of a dashboard, in units of Grafana's grid.
const WIDTH: u64 = 24;

/// Returns the data source that the variable selects.
pub(super) fn source() -> Value {
    json!({ "type": "prometheus", "uid": "${datasource}" })
}

/// What a panel shows its values as.
#[derive(Clone, Copy)]
pub(super) enum View {
    Lines,
    /// Lines above each other, whose sum matters.
    Stacked,
    /// The last value.
    Number,
    /// One bar of states for each series.
    States,
    Heatmap,
    Table,
}

/// One panel.
pub(super) struct Panel {
    title: &'static str,
    help: &'static str,
    view: View,
    /// A unit of Grafana.
    unit: &'static str,
    size: (u64, u64),
    /// Expressions with the names of their series.
    targets: Vec<(String, &'static str)>,
    /// The values from which a number or a line is yellow, and red.
    limits: Vec<(&'static str, f64)>,
    /// The words for values.
    words: &'static [(u64, &'static str, &'static str)],
}

impl Panel {
    pub(super) fn new(title: &'static str, view: View, unit: &'static str, help: &'static str) -> Self {
        let size = match view {
            View::Number => (4, 4),
            View::Table => (24, 8),
            _ => (8, 8),
        };
        Self { title, help, view, unit, size, targets: Vec::new(), limits: Vec::new(), words: &[] }
    }

    /// Adds an expression and the name of its series, with labels in double braces.
    pub(super) fn show(mut self, expression: String, legend: &'static str) -> Self {
        self.targets.push((expression, legend));
        self
    }

    /// Colours values from these on.
    pub(super) fn limits(mut self, yellow: f64, red: f64) -> Self {
        self.limits = vec![("yellow", yellow), ("red", red)];
        self
    }

    /// Colours values from this one on.
    pub(super) fn limit(mut self, red: f64) -> Self {
        self.limits = vec![("red", red)];
        self
    }

    /// Colours values below these: for what should be high.
    pub(super) fn at_least(mut self, yellow: f64, green: f64) -> Self {
        self.limits = vec![("yellow", yellow), ("green", green)];
        self
    }

    /// Shows words for values, each with a colour.
    pub(super) fn words(mut self, words: &'static [(u64, &'static str, &'static str)]) -> Self {
        self.words = words;
        self
    }

    pub(super) fn wide(mut self, width: u64) -> Self {
        self.size.0 = width;
        self
    }

    fn json(&self, id: u64, (x, y): (u64, u64)) -> Value {
        let targets = self.targets.iter().zip('A'..);
        let targets: Vec<_> = targets.map(|((expression, legend), id)| self.target(expression, legend, id)).collect();
        let (kind, options) = self.kind();
        json!({
            "id": id,
            "type": kind,
            "title": self.title,
            "description": self.help,
            "gridPos": { "x": x, "y": y, "w": self.size.0, "h": self.size.1 },
            "datasource": source(),
            "targets": targets,
            "fieldConfig": { "defaults": self.field(), "overrides": self.overrides() },
            "options": options,
            "transformations": self.transformations(),
        })
    }

    /// Shows the columns of shares as per cent.
    fn overrides(&self) -> Vec<Value> {
        let shares =
            self.targets.iter().filter(|(_, name)| matches!(self.view, View::Table) && name.ends_with("share"));
        let per_cent = |(_, name): &(String, &str)| {
            json!({
                "matcher": { "id": "byName", "options": name },
                "properties": [{ "id": "unit", "value": "percentunit" }],
            })
        };
        shares.map(per_cent).collect()
    }

    /// Joins the values of a table in one row for each combination of labels, and names its columns.
    fn transformations(&self) -> Value {
        if !matches!(self.view, View::Table) {
            return json!([]);
        }
        let names: serde_json::Map<_, _> = match &*self.targets {
            [(_, name)] => [("Value".to_owned(), json!(name))].into_iter().collect(),
            all => all.iter().zip('A'..).map(|((_, name), id)| (format!("Value #{id}"), json!(name))).collect(),
        };
        json!([
            { "id": "merge", "options": {} },
            { "id": "organize", "options": { "excludeByName": { "Time": true }, "renameByName": names } },
        ])
    }

    fn target(&self, expression: &str, legend: &str, id: char) -> Value {
        let (is_instant, format) = match self.view {
            View::Table => (true, "table"),
            View::Number => (true, "time_series"),
            View::Heatmap => (false, "heatmap"),
            _ => (false, "time_series"),
        };
        json!({
            "refId": id.to_string(),
            "datasource": source(),
            "editorMode": "code",
            "expr": expression,
            "legendFormat": legend,
            "format": format,
            "instant": is_instant,
            "range": !is_instant,
        })
    }

    fn field(&self) -> Value {
        let first = if self.limits.last().is_some_and(|(colour, _)| *colour == "green") { "red" } else { "green" };
        let steps = std::iter::once(json!({ "color": first, "value": null }));
        let steps = steps.chain(self.limits.iter().map(|(colour, from)| json!({ "color": colour, "value": from })));
        let shows_limits = matches!(self.view, View::Lines) && !self.limits.is_empty();
        let words: serde_json::Map<_, _> = self
            .words
            .iter()
            .map(|(value, word, colour)| (value.to_string(), json!({ "text": word, "color": colour })))
            .collect();
        let mappings = if words.is_empty() { json!([]) } else { json!([{ "type": "value", "options": words }]) };
        json!({
            "unit": self.unit,
            "thresholds": { "mode": "absolute", "steps": steps.collect::<Vec<_>>() },
            "mappings": mappings,
            "custom": match self.view {
                View::Lines => json!({
                    "lineWidth": 1, "fillOpacity": 0, "showPoints": "never",
                    "thresholdsStyle": { "mode": if shows_limits { "dashed" } else { "off" } },
                }),
                View::Stacked => json!({
                    "lineWidth": 1, "fillOpacity": 40, "showPoints": "never",
                    "stacking": { "mode": "normal", "group": "A" },
                }),
                View::States => json!({ "lineWidth": 0, "fillOpacity": 80 }),
                View::Number | View::Heatmap | View::Table => json!({}),
            },
        })
    }

    fn kind(&self) -> (&'static str, Value) {
        let legend = json!({ "displayMode": "list", "placement": "bottom", "showLegend": true });
        match self.view {
            View::Lines | View::Stacked => {
                ("timeseries", json!({ "legend": legend, "tooltip": { "mode": "multi", "sort": "desc" } }))
            }
            View::Number => (
                "stat",
                json!({
                    "colorMode": "value", "graphMode": "none", "textMode": "auto", "justifyMode": "auto",
                    "orientation": "auto",
                    "reduceOptions": { "calcs": ["lastNotNull"], "fields": "", "values": false },
                }),
            ),
            View::States => (
                "state-timeline",
                json!({ "legend": legend, "mergeValues": true, "showValue": "auto", "rowHeight": 0.8 }),
            ),
            View::Heatmap => (
                "heatmap",
                json!({
                    "calculate": false, "cellGap": 1, "yAxis": { "unit": self.unit },
                    "color": { "mode": "scheme", "scheme": "Oranges", "steps": 64 },
                }),
            ),
            View::Table => ("table", json!({ "showHeader": true, "cellHeight": "sm" })),
        }
    }
}

/// Places the panels of each row from left to right, the rows below each other.
pub(super) fn placed(rows: Vec<(&'static str, Vec<Panel>)>) -> Vec<Value> {
    let (mut placed, mut ids, mut y) = (Vec::new(), 1.., 0);
    for (title, panels) in rows {
        let position = json!({ "x": 0, "y": y, "w": WIDTH, "h": 1 });
        let id = ids.next();
        placed.push(json!({
            "id": id, "type": "row", "title": title, "gridPos": position, "collapsed": false, "panels": [],
        }));
        y += 1;
        let (mut x, mut height) = (0, 0);
        for (panel, id) in panels.iter().zip(ids.by_ref()) {
            let (width, its_height) = panel.size;
            if x + width > WIDTH {
                (x, y) = (0, y + height);
                height = 0;
            }
            placed.push(panel.json(id, (x, y)));
            x += width;
            height = its_height.max(height);
        }
        y += height;
    }
    placed
}
