# Prints SE, Satterthwaite df and Wald tests of clubSandwich for the csv files of this folder; fixtures.json holds what
# it printed (clubSandwich 0.6.0), as a list of fixtures with the call each.
#   Rscript make.R
suppressMessages(library(clubSandwich))
models <- list(cr_few = y ~ treat + x, cr_unbal = y ~ x1 + x2, cr_fe = y ~ 0 + factor(cluster) + factor(t) + treat + x,
  cr_wt = y ~ treat + x, cr_25 = y ~ treat * x, cr_year = y ~ 0 + factor(state) + year + policy)
options(digits = 15)
for (name in names(models)) {
  d <- read.csv(paste0(name, ".csv"))
  if (name == "cr_year") d$year <- d$year - 2018 # raw years cost the reference five digits
  cluster <- if (name == "cr_year") d$state else d$cluster
  m <- if (name == "cr_wt") lm(models[[name]], d, weights = w) else lm(models[[name]], d)
  cat("\n##", name, "\n"); print(coef(summary(m)))
  for (type in c("CR0", "CR1", "CR1S", "CR2", "CR3")) if (type != "CR3" || !(name %in% c("cr_fe", "cr_year"))) {
    cat(type, "\n"); print(coef_test(m, vcov = vcovCR(m, cluster = cluster, type = type), test = "Satterthwaite"), digits = 15)
  }
  if (name == "cr_wt") print(coef_test(m, vcov = vcovCR(m, cluster = cluster, type = "CR2", inverse_var = FALSE, target = 1 / d$w)))
  p <- length(coef(m)); C <- diag(p)[(p - 1):p, ]
  print(Wald_test(m, constraints = C, vcov = vcovCR(m, cluster = cluster, type = "CR2"), test = c("HTZ", "Naive-F", "chi-sq")))
}
