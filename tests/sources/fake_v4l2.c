// A V4L2 camera made of a regular file, for machines without one.
//
// Preloaded, it answers ioctl() on files named video<N> as a driver does, with
// the structures of the kernel's own header; open, mmap, select and close are
// the real ones. Two files beside the device steer it: <device>.busy makes
// starting fail with EBUSY, <device>.gone makes every call fail with ENODEV.
// <device>.meta makes it a node for metadata, <device>.refuse makes the next
// start of the stream fail with EIO.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <linux/videodev2.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { kBuffers = 8, kSlot = 1 << 20 };

static struct {
    unsigned fourcc, width, height, fps, next, filled[kBuffers], held[kBuffers], queued, taken;
} g = {V4L2_PIX_FMT_YUYV, 640, 480, 30};

static const struct {
    unsigned fourcc, width, height, fps;
} kModes[] = {
    {V4L2_PIX_FMT_YUYV, 320, 240, 60},
    {V4L2_PIX_FMT_YUYV, 640, 480, 30},
    {V4L2_PIX_FMT_MJPEG, 640, 480, 30},
};
enum { kModeCount = 3 };

static int fail(int code) {
    errno = code;
    return -1;
}

static int flagged(const char* device, const char* suffix) {
    char path[512];
    snprintf(path, sizeof path, "%s.%s", device, suffix);
    return access(path, F_OK) == 0;
}

static int dropped(const char* device, const char* suffix) {
    char path[512];
    snprintf(path, sizeof path, "%s.%s", device, suffix);
    return unlink(path) == 0;
}

static int is_device(int fd, char* path, size_t size) {
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    const ssize_t length = readlink(link, path, size - 1);
    if (length < 0) return 0;
    path[length] = 0;
    char* deleted = strstr(path, " (deleted)");
    if (deleted) *deleted = 0;
    const char* name = strrchr(path, '/');
    return name && strncmp(name, "/video", 6) == 0 && name[6] >= '0' && name[6] <= '9';
}

static void describe(struct v4l2_pix_format* pix) {
    pix->width = g.width;
    pix->height = g.height;
    pix->pixelformat = g.fourcc;
    pix->field = V4L2_FIELD_NONE;
    pix->bytesperline = g.fourcc == V4L2_PIX_FMT_YUYV ? g.width * 2 : 0;
    pix->sizeimage = g.width * g.height * 2;
}

static void choose(const struct v4l2_pix_format* pix) {
    for (int i = 0; i < kModeCount; ++i)
        if (kModes[i].fourcc == pix->pixelformat && kModes[i].width == pix->width) {
            g.fourcc = kModes[i].fourcc;
            g.width = kModes[i].width;
            g.height = kModes[i].height;
            g.fps = kModes[i].fps;
        }
}

static unsigned paint(int fd, const char* device, unsigned slot, unsigned number) {
    static unsigned char frame[kSlot];
    unsigned bytes = g.width * g.height * 2;
    if (g.fourcc == V4L2_PIX_FMT_MJPEG) {
        char path[512];
        snprintf(path, sizeof path, "%s.jpg", device);
        FILE* file = fopen(path, "rb");
        if (!file) return 0;
        bytes = (unsigned)fread(frame, 1, sizeof frame, file);
        fclose(file);
    } else {
        memset(frame, 128, bytes);
        for (unsigned i = 0; i < bytes; i += 2) frame[i] = (unsigned char)(40 + 20 * (number % 8));
    }
    return pwrite(fd, frame, bytes, (off_t)slot * kSlot) == (ssize_t)bytes ? bytes : 0;
}

static int list_modes(unsigned long request, void* arg) {
    if (request == VIDIOC_ENUM_FMT) {
        struct v4l2_fmtdesc* fmt = arg;
        if (fmt->index > 1 || fmt->type != V4L2_BUF_TYPE_VIDEO_CAPTURE) return fail(EINVAL);
        fmt->pixelformat = fmt->index ? V4L2_PIX_FMT_MJPEG : V4L2_PIX_FMT_YUYV;
        strcpy((char*)fmt->description, fmt->index ? "Motion-JPEG" : "YUYV 4:2:2");
        return 0;
    }
    unsigned seen = 0;
    for (int i = 0; i < kModeCount; ++i) {
        if (request == VIDIOC_ENUM_FRAMESIZES) {
            struct v4l2_frmsizeenum* size = arg;
            if (kModes[i].fourcc != size->pixel_format || seen++ != size->index) continue;
            size->type = V4L2_FRMSIZE_TYPE_DISCRETE;
            size->discrete.width = kModes[i].width;
            size->discrete.height = kModes[i].height;
            return 0;
        }
        struct v4l2_frmivalenum* rate = arg;
        if (kModes[i].fourcc != rate->pixel_format || kModes[i].width != rate->width) continue;
        if (rate->index > 0) return fail(EINVAL);
        rate->type = V4L2_FRMIVAL_TYPE_DISCRETE;
        rate->discrete.numerator = 1;
        rate->discrete.denominator = kModes[i].fps;
        return 0;
    }
    return fail(EINVAL);
}

static int dequeue(int fd, const char* device, struct v4l2_buffer* buffer) {
    const struct timespec pause = {0, 1000000000L / g.fps};
    nanosleep(&pause, NULL);
    if (g.taken == g.queued) return fail(EAGAIN);
    buffer->index = g.filled[g.taken++ % kBuffers];
    g.held[buffer->index] = 0;
    buffer->bytesused = paint(fd, device, buffer->index, g.next);
    buffer->sequence = g.next++;
    buffer->length = kSlot;
    buffer->flags = V4L2_BUF_FLAG_DONE | V4L2_BUF_FLAG_MAPPED;
    return 0;
}

static int answer(int fd, const char* device, unsigned long request, void* arg) {
    switch (request) {
        case VIDIOC_QUERYCAP: {
            struct v4l2_capability* cap = arg;
            memset(cap, 0, sizeof *cap);
            strcpy((char*)cap->driver, "fake");
            strcpy((char*)cap->card, "Fake Camera");
            strcpy((char*)cap->bus_info, "usb-fake-1");
            const unsigned meta = flagged(device, "meta");
            cap->device_caps =
                V4L2_CAP_STREAMING | (meta ? V4L2_CAP_META_CAPTURE : V4L2_CAP_VIDEO_CAPTURE);
            cap->capabilities = V4L2_CAP_VIDEO_CAPTURE | V4L2_CAP_META_CAPTURE |
                                V4L2_CAP_STREAMING | V4L2_CAP_DEVICE_CAPS;
            return 0;
        }
        case VIDIOC_ENUM_FMT:
        case VIDIOC_ENUM_FRAMESIZES:
        case VIDIOC_ENUM_FRAMEINTERVALS:
            return list_modes(request, arg);
        case VIDIOC_S_FMT:
        case VIDIOC_TRY_FMT:
            choose(&((struct v4l2_format*)arg)->fmt.pix);
            // fallthrough
        case VIDIOC_G_FMT:
            describe(&((struct v4l2_format*)arg)->fmt.pix);
            return 0;
        case VIDIOC_G_PARM:
        case VIDIOC_S_PARM: {
            struct v4l2_captureparm* capture = &((struct v4l2_streamparm*)arg)->parm.capture;
            capture->capability = V4L2_CAP_TIMEPERFRAME;
            capture->timeperframe.numerator = 1;
            capture->timeperframe.denominator = g.fps;
            return 0;
        }
        case VIDIOC_G_INPUT:
            *(int*)arg = 0;
            return 0;
        case VIDIOC_S_INPUT:
            return 0;
        case VIDIOC_ENUMINPUT:
            ((struct v4l2_input*)arg)->type = V4L2_INPUT_TYPE_CAMERA;
            return ((struct v4l2_input*)arg)->index ? fail(EINVAL) : 0;
        case VIDIOC_REQBUFS: {
            struct v4l2_requestbuffers* wanted = arg;
            if (wanted->count && flagged(device, "busy")) return fail(EBUSY);
            if (wanted->count > kBuffers) wanted->count = kBuffers;
            g.queued = g.taken = 0;
            memset(g.held, 0, sizeof g.held);
            return ftruncate(fd, (off_t)kBuffers * kSlot);
        }
        case VIDIOC_QUERYBUF: {
            struct v4l2_buffer* buffer = arg;
            buffer->length = kSlot;
            buffer->m.offset = buffer->index * kSlot;
            return 0;
        }
        case VIDIOC_QBUF: {
            const unsigned slot = ((struct v4l2_buffer*)arg)->index;
            if (slot >= kBuffers || g.held[slot]) return fail(EINVAL);
            g.held[slot] = 1;
            g.filled[g.queued++ % kBuffers] = slot;
            return 0;
        }
        case VIDIOC_DQBUF:
            return dequeue(fd, device, arg);
        case VIDIOC_STREAMON:
            return dropped(device, "refuse") ? fail(EIO) : 0;
        case VIDIOC_STREAMOFF:
            return 0;
        default:
            return fail(EINVAL);
    }
}

int ioctl(int fd, unsigned long request, ...) {
    va_list arguments;
    va_start(arguments, request);
    void* arg = va_arg(arguments, void*);
    va_end(arguments);
    char device[256];
    // Callers widen the code from a signed int.
    request &= 0xffffffffUL;
    if (_IOC_TYPE(request) != 'V' || !is_device(fd, device, sizeof device))
        return (int)syscall(SYS_ioctl, fd, request, arg);
    if (flagged(device, "gone")) return fail(ENODEV);
    return answer(fd, device, request, arg);
}
