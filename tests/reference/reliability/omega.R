# Prints the numbers in omega.json: Rscript omega.R > omega.json
# psych 2.2.9 with GPArotation 2022.10-2. Data: synthetic, items_<n>.csv; items_5 was simulated with one general and three
# group factors, retest.csv with a standard error of measurement of 2.5 and a fall of 1 between the waves.
suppressMessages(library(psych))
library(jsonlite)
quiet <- function(expr) { capture.output(found <- suppressWarnings(suppressMessages(expr))); found }
items <- function(name) read.csv(paste0(name, ".csv"))[, -1]
three <- function(name) {
  found <- quiet(omega(items(name), nfactors = 3, fm = "minres", rotate = "oblimin", plot = FALSE))
  list(omega_total = found$omega.tot, omega_hierarchical = found$omega_h, general = unname(found$schmid$sl[, "g"]))
}
one <- function(name) {
  found <- quiet(omega(items(name), nfactors = 1, fm = "minres", plot = FALSE))
  loadings <- quiet(fa(items(name), nfactors = 1, fm = "minres"))$loadings
  list(omega_total = found$omega.tot, loadings = as.vector(loadings))
}
statistics <- function(name) {
  x <- items(name)
  found <- quiet(alpha(x, check.keys = FALSE))
  list(mean = unname(colMeans(x)), sd = unname(apply(x, 2, sd)), alpha_without = found$alpha.drop$raw_alpha)
}
waves <- read.csv("retest.csv")[, -1]
icc <- quiet(ICC(waves, lmer = FALSE))$results
pearson <- cor.test(waves$first, waves$second)
change <- t.test(waves$second, waves$first, paired = TRUE)
of <- function(type) with(icc[icc$type == type, ], list(icc = ICC, low = `lower bound`, high = `upper bound`))
cat(toJSON(list(
  three = list(items_1 = three("items_1"), items_3 = three("items_3"), items_5 = three("items_5")),
  one = list(items_1 = one("items_1"), items_3 = one("items_3"), items_4 = one("items_4"), items_5 = one("items_5")),
  statistics = list(items_1 = statistics("items_1"), items_5 = statistics("items_5")),
  retest = list(
    agreement = of("ICC2"), consistency = of("ICC3"),
    pearson = list(r = unname(pearson$estimate), low = pearson$conf.int[1], high = pearson$conf.int[2]),
    change = list(mean = unname(change$estimate), low = change$conf.int[1], high = change$conf.int[2], p = change$p.value)
  )
), digits = 15, auto_unbox = TRUE, pretty = TRUE), "\n")
