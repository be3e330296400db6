/*
 * Runs a target over files, and over all that are in folders: the kept seeds, as a unit test of every build; an input by hand.
 */
#include "fuzz/fuzz.h"

#include <dirent.h>
#include <sys/stat.h>

static size_t inputs;

static void replay(const char *path)
{
    char name[4096];
    struct stat about;
    if (stat(path, &about) != 0) {
        perror(path);
        exit(2);
    }
    if (S_ISDIR(about.st_mode)) {
        DIR *folder = opendir(path);
        for (struct dirent *entry; folder && (entry = readdir(folder));) {
            snprintf(name, sizeof name, "%s/%s", path, entry->d_name);
            if (entry->d_name[0] != '.')
                replay(name);
        }
        if (folder)
            closedir(folder);
        return;
    }
    FILE *file = fopen(path, "rb");
    uint8_t *bytes = malloc((size_t)about.st_size + 1); /* of its own, so that a byte too many is seen */
    size_t size = file ? fread(bytes, 1, (size_t)about.st_size, file) : 0;
    if (!file || size != (size_t)about.st_size) {
        perror(path);
        exit(2);
    }
    fclose(file);
    printf("%s\n", path);
    fflush(stdout); /* the last line names what failed */
    LLVMFuzzerTestOneInput(bytes, size);
    free(bytes);
    inputs++;
}

int main(int count, char **paths)
{
    for (int i = 1; i < count; i++)
        replay(paths[i]);
    printf("%zu inputs\n", inputs);
    return inputs == 0;
}
