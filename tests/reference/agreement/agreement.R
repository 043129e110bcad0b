# Prints the numbers in agreement.json: Rscript agreement.R > agreement.json   (multilevel 2.7, psych 2.2.9; data: synthetic)
suppressMessages({library(multilevel); library(psych)})
library(jsonlite)
items <- c("q1", "q2", "q3", "q4")
teams <- function(number) {
  d <- read.csv(paste0("teams_", number, ".csv"))
  x <- d[, items]
  list(
    rwg_skewed = rwg(d$q1, d$team, ranvar = 1.34)$rwg,
    rwg_j_skewed = rwg.j(x, d$team, ranvar = 1.34)$rwg.j,
    rwg_star_j = rwg.j.lindell(x, d$team, ranvar = 2)[, 2],
    awg = awg(x, d$team, range = c(1, 5))[, 2],
    awg_q1 = awg(d$q1, d$team, range = c(1, 5))[, 2],
    ad_mean = ad.m(x, d$team, type = "mean")[, 2],
    ad_median = ad.m(x, d$team, type = "median")[, 2]
  )
}
# Members who all agree, who split between the ends, and whose mean is too near an end for awg.
edge <- data.frame(
  team = rep(1:6, each = 4),
  q1 = c(5, 5, 5, 5, 5, 5, 5, 4, 1, 1, 5, 5, 3, 3, 3, 3, 1, 2, 4, 5, 5, 5, 4, 4),
  q2 = c(4, 4, 4, 4, 4, 5, 4, 4, 1, 5, 1, 5, 3, 3, 3, 3, 1, 1, 1, 2, 5, 5, 5, 5)
)
x <- edge[, c("q1", "q2")]
at_edges <- list(
  data = edge,
  rwg_j = rwg.j(x, edge$team, ranvar = 2)$rwg.j,
  rwg_star_j = rwg.j.lindell(x, edge$team, ranvar = 2)[, 2],
  awg = awg(x, edge$team, range = c(1, 5))[, 2],
  ad_mean = ad.m(x, edge$team, type = "mean")[, 2],
  ad_median = ad.m(x, edge$team, type = "median")[, 2]
)
# Other levels of the interval, and a one-way correlation of ratings without raters (units of unequal size).
levels <- lapply(1:4, function(number) {
  found <- ICC(read.csv(paste0("ratings_", number, ".csv"))[, -1], alpha = .10, lmer = FALSE)$results
  list(low = found$`lower bound`, high = found$`upper bound`)
})
cat(toJSON(c(
  setNames(lapply(1:4, teams), paste0("teams_", 1:4)),
  list(edge = at_edges, icc_90 = setNames(levels, paste0("ratings_", 1:4)))
), digits = 15, auto_unbox = TRUE, na = "null", pretty = TRUE), "\n")
