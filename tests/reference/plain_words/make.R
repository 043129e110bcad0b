# Writes reference.json: adjusted p-values, the Mann-Whitney statistic behind the probability of superiority, the signed
# ranks behind the matched rank-biserial correlation, and metafor's maps of d. Run: Rscript make.R (in this folder)
library(jsonlite)
suppressMessages(library(metafor))

p <- c(0.012, 0.0004, 0.31, 0.049, 0.049, 0.62, 0.0011, 0.2, 0.87, 0.028, 0.0301)
methods <- c("BH", "BY", "holm", "hochberg", "bonferroni")
adjusted <- setNames(lapply(methods, function(m) p.adjust(p, m)), methods)

x <- c(12, 15, 11, 18, 14, 14, 9, 16, 13)
y <- c(10, 9, 13, 8, 12, 14, 11)
w <- suppressWarnings(wilcox.test(x, y))$statistic

before <- c(14, 11, 18, 9, 12, 15, 10, 13)
after <- c(11, 12, 12, 9, 8, 16, 6, 7)
v <- suppressWarnings(wilcox.test(before, after, paired = TRUE))$statistic

d <- c(-1.3, -0.4, 0, 0.15, 0.6, 2.1)
maps <- list(u3 = transf.dtou3(d), cles = transf.dtocles(d), besd = transf.dtobesd(d), rpb = transf.dtorpb(d))

write_json(list(p = p, adjusted = adjusted, x = x, y = y, w = unname(w), before = before, after = after, v = unname(v),
                d = d, maps = maps, R = R.version.string, metafor = as.character(packageVersion("metafor"))),
           "reference.json", digits = 17, auto_unbox = TRUE, pretty = TRUE)
