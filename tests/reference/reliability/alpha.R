# Prints the numbers in alpha.json: Rscript alpha.R > alpha.json   (psych 2.2.9, data: synthetic, items_<n>.csv)
suppressMessages(library(psych))
library(jsonlite)
one <- function(name) {
  items <- read.csv(paste0(name, ".csv"))[, -1]
  capture.output(found <- suppressWarnings(alpha(items, check.keys = FALSE)))
  list(
    raw_alpha = found$total$raw_alpha,
    std_alpha = found$total$std.alpha,
    feldt_low = unname(unlist(found$feldt$lower.ci)),
    feldt_high = unname(unlist(found$feldt$upper.ci)),
    item_rest_r = found$item.stats$r.drop
  )
}
names <- paste0("items_", 1:4)
# The same items with gaps, where pairwise covariances differ from complete cases.
gaps <- read.csv("items_3.csv")[, -1]
gaps[seq(1, nrow(gaps), 7), 2] <- NA
gaps[seq(3, nrow(gaps), 11), 5] <- NA
with_gaps <- suppressWarnings(alpha(gaps, check.keys = FALSE))
cat(toJSON(c(
  setNames(lapply(names, one), names),
  list(items_3_gaps = list(raw_alpha = with_gaps$total$raw_alpha, std_alpha = with_gaps$total$std.alpha))
), digits = 15, auto_unbox = TRUE, pretty = TRUE), "\n")
