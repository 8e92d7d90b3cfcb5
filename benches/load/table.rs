//! Medians, quartiles and the table.

/// Figures of one measure.
#[derive(Default)]
pub(crate) struct Sample(Vec<f64>);

impl Sample {
    pub(crate) fn add(&mut self, figure: f64) {
        self.0.push(figure);
    }

    pub(crate) fn median(&self) -> f64 {
        self.at(0.5)
    }

    /// The lower and the upper quartile.
    pub(crate) fn spread(&self, digits: usize) -> String {
        format!("{:.digits$} .. {:.digits$}", self.at(0.25), self.at(0.75))
    }

    /// The figure below which this share of all is.
    pub(crate) fn at(&self, share: f64) -> f64 {
        let mut sorted = self.0.clone();
        sorted.sort_by(f64::total_cmp);
        sorted
            .get((sorted.len().saturating_sub(1) as f64 * share).round() as usize)
            .copied()
            .unwrap_or(f64::NAN)
    }
}

/// One line of the table.
pub(crate) struct Row {
    pub(crate) measure: String,
    pub(crate) goal: String,
    /// The median, and the quartiles of the rounds.
    pub(crate) measured: String,
    /// The median in absolute units, beside that of the echo.
    pub(crate) scale: String,
    /// Whether the goal is reached; `None` if there is no goal.
    pub(crate) reached: Option<bool>,
}

/// Prints the table. Each column is as wide as its widest cell.
pub(crate) fn print(rows: &[Row]) {
    let cells = |row: &Row| {
        let verdict = row.reached.map_or("", |reached| if reached { "reached" } else { "missed" });
        [
            row.measure.clone(),
            row.goal.clone(),
            row.measured.clone(),
            row.scale.clone(),
            verdict.into(),
        ]
    };
    let mut lines =
        vec![["measure", "goal", "measured (quartiles)", "which is", "verdict"].map(String::from)];
    lines.extend(rows.iter().map(cells));
    let wide = |column: usize| lines.iter().map(|line| line[column].len()).max().unwrap_or(0);
    let widths: [usize; 5] = std::array::from_fn(wide);
    lines.insert(1, widths.map(|width| "-".repeat(width)));
    for line in lines {
        let padded: Vec<String> =
            line.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}")).collect();
        println!("| {} |", padded.join(" | "));
    }
}
