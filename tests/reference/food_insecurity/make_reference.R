# Rasch severities, person parameters and standard errors of survey.csv by eRm (Debian: r-cran-erm).
# A row of weight w stands for w rows: for integer weights the weighted conditional likelihood is that of the repeated rows.
library(eRm)
library(jsonlite)
survey <- read.csv("survey.csv")
items <- as.matrix(survey[, 3:10])
repeated <- items[rep(seq_len(nrow(items)), survey$weight), ]
inside <- function(x) x[rowSums(x) > 0 & rowSums(x) < 8, ]
one <- function(x) {
  fit <- RM(inside(x), sum0 = TRUE)
  person <- person.parameter(fit)
  list(
    severity = unname(-fit$betapar), std_error = unname(fit$se.beta), log_likelihood = fit$loglik,
    raw_score = unname(person$pred.list[[1]]$x), person = unname(person$pred.list[[1]]$y),
    person_std_error = unname(sapply(1:7, function(r) person$se.theta[[1]][which(rowSums(inside(x)) == r)[1]])),
    version = as.character(packageVersion("eRm"))
  )
}
write_json(list(plain = one(items), weighted = one(repeated)), "erm.json", digits = NA, auto_unbox = TRUE, pretty = TRUE)
